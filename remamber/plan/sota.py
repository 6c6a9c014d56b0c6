"""How the report of the comparison with published systems (Tab. 2) is laid out."""

from remamber.plan.model_spec import Strict


class SotaView(Strict):
    """Which files hold the published table, and which of its rows our models are.

    Attributes:
        published: the table as printed, every value with the metric that it really is.
        audit: by row, its metric and protocol and how they are known.
        both: values of models of which both metrics are known.
        models: our model's name -> its row of the table.
    """

    published: str
    audit: str
    both: str
    models: dict[str, str]
