"""What an appointment's schedule says when it fires."""

from retorno.frozen import Frozen
from retorno.telemarketing.appointments.model import Appointment


class Firing(Frozen):
    campaign_id: str
    customer_id: str
    ordinal: int

    def appointment(self) -> Appointment:
        return Appointment(self.campaign_id, self.customer_id, self.ordinal)
