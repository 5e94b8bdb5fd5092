"""Panels beside the picture: years, forecast, form, regions, findings, banners."""
