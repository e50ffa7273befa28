"""The skinned figure of an FBX file: geometry, materials, limbs, clusters and bind pose."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from kinesphere.formats.clip import Floats, Skeleton
from kinesphere.formats.fbx_binary import Node, array, int64, named, node, text
from kinesphere.formats.isosurface import Indices
from kinesphere.formats.skin import FULL, Material, Skin, rest_positions

CENTIMETRES: Final = 100.0
GEOMETRY: Final = 100_000_001
MESH: Final = 100_000_002
SKIN: Final = 100_000_003
POSE: Final = 100_000_004
_MATERIALS: Final = 100_001_000
_LIMBS: Final = 200_000_000
_ATTRIBUTES: Final = 300_000_000
_CLUSTERS: Final = 400_000_000
"""First ids of objects; any that differ would do, these keep the bytes the same."""
_ROTATION_ORDER: Final = 3
_INHERIT_RSRS: Final = 1


def limb_id(joint: int) -> int:
    """The id of a joint's node."""
    return _LIMBS + joint


def connection(child: int, parent: int, target: str | None = None) -> Node:
    """An object under another, or under one of the other's properties."""
    if target is None:
        return Node("C", (text("OO"), int64(child), int64(parent)))
    return Node("C", (text("OP"), int64(child), int64(parent), text(target)))


def properties(rows: Iterable[Sequence[object]]) -> Node:
    """A table of properties: name, type, label, flags, values."""
    table = []
    for row in rows:
        values = [value for value in row if isinstance(value, (bool, int, float, str))]
        encoded = [value for value in row if isinstance(value, bytes)]
        plain = node("P", *values)
        table.append(Node("P", (*plain.properties, *encoded)))
    return node("Properties70", children=table)


def figure_objects(skeleton: Skeleton, skin: Skin) -> list[Node]:
    """Everything that does not move, in the T-pose."""
    rest = CENTIMETRES * rest_positions(skeleton)
    moved = [(skin.joints == joint) & (skin.weights > 0) for joint in range(len(rest))]
    used = [np.flatnonzero(corner.any(axis=1)) for corner in moved]
    deformer = Node(
        "Deformer",
        (int64(SKIN), named("Figure", "Deformer"), text("Skin")),
        [node("Version", 101), node("Link_DeformAcuracy", 50.0)],
    )
    materials = [
        _material(_MATERIALS + number, material) for number, (material, _) in enumerate(skin.parts)
    ]
    limbs = [_limb(skeleton, joint) for joint in range(len(rest))]
    attributes = [_attribute(joint, name) for joint, name in enumerate(skeleton.names)]
    clusters = [
        _cluster(skin, joint, name, points, rest[joint])
        for joint, (name, points) in enumerate(zip(skeleton.names, used, strict=True))
    ]
    return [
        _geometry(skin), _mesh(), *attributes, *limbs, *materials, deformer, *clusters,
        _bind_pose(rest),
    ]  # fmt: skip


def figure_connections(skeleton: Skeleton, skin: Skin) -> list[Node]:
    """What belongs to what."""
    links = [connection(MESH, 0), connection(GEOMETRY, MESH), connection(SKIN, GEOMETRY)]
    links += [connection(_MATERIALS + number, MESH) for number in range(len(skin.parts))]
    for joint, parent in enumerate(skeleton.parents):
        links += [
            connection(limb_id(joint), limb_id(parent) if parent >= 0 else 0),
            connection(_ATTRIBUTES + joint, limb_id(joint)),
            connection(_CLUSTERS + joint, SKIN),
            connection(limb_id(joint), _CLUSTERS + joint),
        ]
    return links


def _geometry(skin: Skin) -> Node:
    faces = np.concatenate([faces for _, faces in skin.parts])
    part = np.repeat(np.arange(len(skin.parts)), [len(faces) for _, faces in skin.parts])
    # The last corner of a polygon is stored as its complement.
    corners = np.column_stack((faces[:, :2], ~faces[:, 2])).astype(np.int32)
    return Node(
        "Geometry",
        (int64(GEOMETRY), named("Figure", "Geometry"), text("Mesh")),
        [
            Node("Vertices", (array((CENTIMETRES * skin.points).round(5).ravel()),)),
            Node("PolygonVertexIndex", (array(corners.ravel()),)),
            node("GeometryVersion", 124),
            node(
                "LayerElementNormal", 0,
                children=[
                    node("Version", 101),
                    node("Name", ""),
                    node("MappingInformationType", "ByVertice"),
                    node("ReferenceInformationType", "Direct"),
                    Node("Normals", (array(skin.normals.round(6).ravel()),)),
                ],
            ),
            node(
                "LayerElementMaterial", 0,
                children=[
                    node("Version", 101),
                    node("Name", ""),
                    node("MappingInformationType", "ByPolygon"),
                    node("ReferenceInformationType", "IndexToDirect"),
                    Node("Materials", (array(part.astype(np.int32)),)),
                ],
            ),
            node(
                "Layer", 0,
                children=[
                    node("Version", 100),
                    *(
                        node("LayerElement", children=[node("Type", kind), node("TypedIndex", 0)])
                        for kind in ("LayerElementNormal", "LayerElementMaterial")
                    ),
                ],
            ),
        ],
    )  # fmt: skip


def _mesh() -> Node:
    return Node(
        "Model",
        (int64(MESH), named("Figure", "Model"), text("Mesh")),
        [
            node("Version", 232),
            properties(
                [
                    ("InheritType", "enum", "", "", _INHERIT_RSRS),
                    ("DefaultAttributeIndex", "int", "Integer", "", 0),
                ]
            ),
            node("Shading", True),
            node("Culling", "CullingOff"),
        ],
    )


def _limb(skeleton: Skeleton, joint: int) -> Node:
    x, y, z = (float(value) for value in CENTIMETRES * skeleton.offsets[joint])
    rows = [
        ("RotationOrder", "enum", "", "", _ROTATION_ORDER),
        ("RotationActive", "bool", "", "", 1),
        ("InheritType", "enum", "", "", _INHERIT_RSRS),
        ("DefaultAttributeIndex", "int", "Integer", "", 0),
        ("Lcl Translation", "Lcl Translation", "", "A", x, y, z),
        ("Lcl Rotation", "Lcl Rotation", "", "A", 0.0, 0.0, 0.0),
    ]
    return Node(
        "Model",
        (int64(limb_id(joint)), named(skeleton.names[joint], "Model"), text("LimbNode")),
        [
            node("Version", 232),
            properties(rows),
            node("Shading", True),
            node("Culling", "CullingOff"),
        ],
    )


def _attribute(joint: int, name: str) -> Node:
    return Node(
        "NodeAttribute",
        (int64(_ATTRIBUTES + joint), named(name, "NodeAttribute"), text("LimbNode")),
        [properties([("Size", "double", "Number", "", 1.0)]), node("TypeFlags", "Skeleton")],
    )


def _material(number: int, material: Material) -> Node:
    red, green, blue = material.colour
    shine = 2.0 / max(material.roughness, 0.05) ** 4 - 2.0
    rows = [
        ("DiffuseColor", "Color", "", "A", red, green, blue),
        ("SpecularColor", "Color", "", "A", 0.2, 0.2, 0.2),
        ("Shininess", "double", "Number", "", shine),
        ("ShininessExponent", "double", "Number", "", shine),
    ]
    return Node(
        "Material",
        (int64(number), named(material.name, "Material"), text("")),
        [
            node("Version", 102),
            node("ShadingModel", "Phong"),
            node("MultiLayer", 0),
            properties(rows),
        ],
    )


def _cluster(skin: Skin, joint: int, name: str, points: Indices, place: Floats) -> Node:
    share = np.where(skin.joints[points] == joint, skin.weights[points], 0).sum(axis=1) / FULL
    weights = [
        Node("Indexes", (array(points.astype(np.int32)),)),
        Node("Weights", (array(share.astype(np.float64)),)),
    ]
    return Node(
        "Deformer",
        (int64(_CLUSTERS + joint), named(name, "SubDeformer"), text("Cluster")),
        [
            node("Version", 100),
            node("UserData", "", ""),
            *(weights if len(points) else ()),
            Node("Transform", (array(_moved(-place)),)),
            Node("TransformLink", (array(_moved(place)),)),
        ],
    )


def _moved(place: Floats) -> Floats:
    """The 16 numbers, by columns, of a matrix that only moves."""
    matrix = np.eye(4)
    matrix[3, :3] = place
    return matrix.ravel()


def _bind_pose(rest: Floats) -> Node:
    poses = [(MESH, np.zeros(3)), *((limb_id(joint), place) for joint, place in enumerate(rest))]
    return Node(
        "Pose",
        (int64(POSE), named("BindPose", "Pose"), text("BindPose")),
        [
            node("Type", "BindPose"),
            node("Version", 100),
            node("NbPoseNodes", len(poses)),
            *(
                node(
                    "PoseNode",
                    children=[
                        Node("Node", (int64(number),)),
                        Node("Matrix", (array(_moved(place)),)),
                    ],
                )
                for number, place in poses
            ),
        ],
    )
