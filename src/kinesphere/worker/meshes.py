"""The product of a mesh that an engine has encoded: judged before it is delivered. Pure.

A module of its own because it brings in NumPy, which other children do without.
"""

from kinesphere.core.failures import Failure
from kinesphere.formats.mesh import MESH_FORMATS
from kinesphere.quality.mesh import judge_mesh
from kinesphere.worker.judgements import rejection, summary
from kinesphere.worker.products import Product, invalid


def mesh(product: Product) -> Product | Failure:
    """The product with a summary of the judgement of its mesh as the note `quality`.

    Fails with QUALITY_REJECTED and the checks that failed, and with ENGINE_OUTPUT_INVALID for a
    file that is not what its name says.
    """
    for file in product.files:
        formats = [f for f in MESH_FORMATS.values() if file.name.endswith(f.extension)]
        if not formats:
            continue
        try:
            made = formats[0].decode(file.data)
        except ValueError as error:
            return invalid(f"{file.name} cannot be read: {error}")
        report = judge_mesh(made)
        if report.verdict == "fail":
            return rejection("mesh", report)
        return Product(product.files, {**product.notes, "quality": summary(report)})
    return product
