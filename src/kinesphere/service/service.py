"""The use cases: everything that happens to the platform enters here, whoever asks.

HTTP, the command line and tests call these methods; none of them knows a status code or a header.
Every refusal is a `Rejected` with a stable code.
"""

from collections.abc import Callable, Mapping, Sequence

from kinesphere.core.catalog import Catalog
from kinesphere.core.replicas import Status
from kinesphere.elastic.policies import PolicyTable
from kinesphere.ports import (
    Artifacts,
    Bell,
    Clock,
    Errands,
    Feed,
    Ledger,
    Plans,
    Pools,
    Releases,
)
from kinesphere.service.intake import Intake
from kinesphere.service.jobs import Jobs
from kinesphere.service.operations import Operations
from kinesphere.service.outlook import Outlook
from kinesphere.service.previews import Previews
from kinesphere.service.prices import Prices
from kinesphere.service.releases import Rollouts, Verdicts
from kinesphere.service.results import Results
from kinesphere.service.routing import Router
from kinesphere.service.simulations import Simulations
from kinesphere.service.values import Terms


class Service:
    """The platform's use cases over its ports.

    Attributes:
        catalog: The models that are served.
        intake: Accepting work.
        previews: What would become of it, before it is accepted.
        prices: What replicas cost.
        simulations: What another scaling policy would have made of the past.
        jobs: Looking at it, following it, ending it, reviving it.
        results: What it has made.
        outlook: When it will be done.
        operations: The platform as a whole.
        releases: Which model answers, and how a new one comes to.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        ledger: Ledger,
        hints: Bell,
        feed: Feed,
        artifacts: Artifacts,
        pools: Pools,
        plans: Plans,
        releases: Releases,
        clock: Clock,
        new_id: Callable[[], str],
        new_seed: Callable[[], int],
        terms: Terms,
        errands: Errands,
        player: Errands,
        prices: Prices | None = None,
        policies: Mapping[str, PolicyTable] | None = None,
        replicas: Callable[[], Sequence[Status]] = tuple,
        verdicts: Verdicts | None = None,
    ) -> None:
        self.catalog = catalog
        self._clock = clock
        self.outlook = Outlook(catalog, ledger, pools, clock)
        router = Router(
            catalog=catalog,
            releases=releases,
            outlook=self.outlook,
            clock=clock,
            new_id=new_id,
            lite_wait=terms.lite_wait,
        )
        self.releases = Rollouts(
            catalog=catalog,
            releases=releases,
            ledger=ledger,
            replicas=replicas,
            clock=clock,
            new_id=new_id,
            changed=router.forget,
            verdicts=verdicts,
        )
        self.intake = Intake(
            catalog=catalog,
            router=router,
            ledger=ledger,
            hints=hints,
            artifacts=artifacts,
            outlook=self.outlook,
            clock=clock,
            new_id=new_id,
            new_seed=new_seed,
            terms=terms,
        )
        self.prices = prices = prices or Prices()
        self.previews = Previews(
            catalog=catalog,
            intake=self.intake,
            router=router,
            outlook=self.outlook,
            pools=pools,
            errands=errands,
            prices=prices,
            clock=clock,
            terms=terms,
        )
        self.simulations = Simulations(
            catalog=catalog,
            ledger=ledger,
            pools=pools,
            errands=player,
            prices=prices,
            policies=policies or {},
            clock=clock,
        )
        self.jobs = Jobs(ledger, feed, hints)
        self.results = Results(self.jobs, artifacts, clock, terms.link_seconds)
        self.operations = Operations(
            catalog=catalog,
            ledger=ledger,
            pools=pools,
            plans=plans,
            intake=self.intake,
            router=router,
            prices=prices,
            clock=clock,
        )

    def now(self) -> float:
        """The platform's time, in seconds since the epoch."""
        return self._clock.now()
