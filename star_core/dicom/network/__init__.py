"""Servers on the network: DIMSE through pynetdicom, DICOMweb through dicomweb-client, and a receiver of our own."""
