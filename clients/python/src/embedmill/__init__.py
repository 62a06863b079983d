"""The client of embedmill: bulk documents in, searchable vectors out."""

from .aio import AsyncClient
from .body import AsyncDocuments, Documents
from .client import Client
from .errors import EmbedmillError, ErrorDetail
from .schemas import (
    Collection,
    Document,
    DocumentReport,
    FileTarget,
    Hit,
    Job,
    JobPage,
    SearchResponse,
    StoredDocument,
)

__all__ = [
    "AsyncClient",
    "AsyncDocuments",
    "Client",
    "Collection",
    "Document",
    "DocumentReport",
    "Documents",
    "EmbedmillError",
    "ErrorDetail",
    "FileTarget",
    "Hit",
    "Job",
    "JobPage",
    "SearchResponse",
    "StoredDocument",
]
