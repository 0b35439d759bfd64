"""What telemarketing in bulk is asked for with, and how far it is."""

from pydantic import Field

from retorno.imports.model import Export, Import, Task
from retorno.imports.views import ExportView, ImportRequest, ImportView, JobView
from retorno.telemarketing.transfer.model import FileWish, LinkingByFilter, PortfolioMove


class LinkImportRequest(ImportRequest):
    campaign: str = Field(min_length=1, max_length=64)


class LinkImportView(ImportView):
    campaign: str

    @classmethod
    def of_links(cls, found: Import) -> "LinkImportView":
        return cls.of(found, campaign=found.parameters["campaign"])


class NewLinkImportView(LinkImportView):
    upload_url: str = Field(description="Where to PUT the file, within an hour")


class LinkJobView(JobView):
    asked: LinkingByFilter

    @classmethod
    def of_job(cls, found: Task) -> "LinkJobView":
        return cls.of(found, asked=found.parameters)


class PortfolioMoveView(JobView):
    asked: PortfolioMove
    campaigns: list[str] = Field(description="Those that are gone through")

    @classmethod
    def of_job(cls, found: Task) -> "PortfolioMoveView":
        return cls.of(
            found, asked=found.parameters["move"], campaigns=found.parameters["campaigns"]
        )


class FileView(ExportView):
    asked: FileWish

    @classmethod
    def of_file(cls, found: Export, download_url: str | None) -> "FileView":
        return cls.of(found, download_url, asked=found.parameters)
