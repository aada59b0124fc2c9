"""Field work: jobs and what belongs to them."""

from crosstie.declare.module import Module
from crosstie.modules.field.certificate import CERTIFICATES
from crosstie.modules.field.dispatch import REACTION
from crosstie.modules.field.document import DOCUMENTS
from crosstie.modules.field.job import JOBS
from crosstie.modules.field.media import MEDIA
from crosstie.modules.field.offer import QUOTES
from crosstie.modules.field.portal import CLIENT_LINK
from crosstie.modules.field.quote import VERSIONS
from crosstie.modules.field.schedule import EN_ROUTE, SCHEDULES
from crosstie.modules.field.timeline import PROJECTION

MODULE = Module(
    "field",
    "Jobs, and all that is done for them.",
    resources=(JOBS, QUOTES, SCHEDULES, MEDIA, DOCUMENTS, CERTIFICATES),
    tables=(VERSIONS,),
    events=(EN_ROUTE,),
    projections=(PROJECTION,),
    reactions=(REACTION,),
    links=(CLIENT_LINK,),
)
