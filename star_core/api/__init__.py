"""The facade: everything that a program or a person can ask of the library, one function each.

Importing it is cheap; torch, pydicom and the rest load inside the function that needs them.
"""

from star_core.api.assessments import (
    assess,
    explain_attention,
    load_assessor,
    write_assessment,
    write_attention,
    write_report,
)
from star_core.api.cases import SeriesInfo, demo_case, inspect_folder, list_series, open_case, write_demo
from star_core.api.cohorts import (
    coarsen_cohort,
    fetch_collection,
    join_cohorts,
    list_collection,
    preparation,
    write_local_cohort,
    write_phantom_cohort,
    write_record_cohort,
    write_tcia_cohort,
    write_twin_cohort,
)
from star_core.api.deidentify import deidentify
from star_core.api.measures import check_maps, compare_models, evaluate_model, run_benchmarks
from star_core.api.models import fine_tune, install_model, train
from star_core.api.network import (
    build_server,
    echo,
    find_series,
    find_server,
    find_studies,
    list_servers,
    receive_studies,
    remove_server,
    retrieve_study,
    save_server,
    send_files,
    send_studies,
)
from star_core.api.studies import delete_studies, import_studies, open_archive, undo_deletion, verify_audit
from star_core.model.registry import ModelInfo, activate_model, list_models

__all__ = [
    "ModelInfo",
    "SeriesInfo",
    "activate_model",
    "assess",
    "build_server",
    "check_maps",
    "coarsen_cohort",
    "compare_models",
    "deidentify",
    "delete_studies",
    "demo_case",
    "echo",
    "evaluate_model",
    "explain_attention",
    "fetch_collection",
    "find_series",
    "find_server",
    "find_studies",
    "fine_tune",
    "import_studies",
    "inspect_folder",
    "install_model",
    "join_cohorts",
    "list_collection",
    "list_models",
    "list_series",
    "list_servers",
    "load_assessor",
    "open_archive",
    "open_case",
    "preparation",
    "receive_studies",
    "remove_server",
    "retrieve_study",
    "run_benchmarks",
    "save_server",
    "send_files",
    "send_studies",
    "train",
    "undo_deletion",
    "verify_audit",
    "write_assessment",
    "write_attention",
    "write_demo",
    "write_local_cohort",
    "write_phantom_cohort",
    "write_record_cohort",
    "write_report",
    "write_tcia_cohort",
    "write_twin_cohort",
]
