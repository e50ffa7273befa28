"""Decimation that keeps a closed surface closed, edge by edge; slower than the library's."""

import heapq

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Faces = NDArray[np.int64]


def collapsed(vertices: Floats, faces: Faces, wanted: int) -> tuple[Floats, Faces]:
    """Collapse edges by quadric error (Garland and Heckbert 1997) to about `wanted` faces.

    An edge is collapsed only where its ends have just the two neighbours in common that its faces
    have (the link condition of Dey et al. 1999), and no face around turns over: the surface stays
    a closed manifold of the same genus. Ends with more faces than asked for when no edge is left.
    """
    surface = _Surface(vertices, faces)
    while surface.alive > wanted and surface.step():
        pass
    return surface.result()


class _Surface:
    """A surface while its edges are collapsed."""

    def __init__(self, vertices: Floats, faces: Faces) -> None:
        self.places = vertices.copy()
        self.faces: list[tuple[int, int, int] | None] = [(a, b, c) for a, b, c in faces.tolist()]
        self.alive = len(faces)
        self.around: list[set[int]] = [set() for _ in vertices]
        for index, face in enumerate(faces.tolist()):
            for vertex in face:
                self.around[vertex].add(index)
        self.quadrics = _quadrics(vertices, faces)
        self.stamps = [0] * len(vertices)
        self.heap: list[tuple[float, int, int, int, int]] = []
        ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]))
        for a, b in np.unique(ends, axis=0).tolist():
            self._offer(a, b)

    def step(self) -> bool:
        """Take the cheapest edge, and collapse it if it may be. False when none is left."""
        if not self.heap:
            return False
        _, a, b, stamp_a, stamp_b = heapq.heappop(self.heap)
        if (stamp_a, stamp_b) != (self.stamps[a], self.stamps[b]):
            return True
        shared = self.around[a] & self.around[b]
        near_a, near_b = self._near(a), self._near(b)
        if len(shared) != 2 or len(near_a & near_b) != 2 or self.alive <= 4:
            return True
        place = self._place(a, b)
        if self._folds(a, shared, place) or self._folds(b, shared, place):
            return True
        self._merge(a, b, shared, place)
        return True

    def result(self) -> tuple[Floats, Faces]:
        """The vertices and faces that are left."""
        kept = np.array([face for face in self.faces if face is not None], dtype=np.int64)
        used, again = np.unique(kept, return_inverse=True)
        return self.places[used], again.reshape(kept.shape)

    def _merge(self, a: int, b: int, shared: set[int], place: Floats) -> None:
        for index in shared:
            for vertex in self.faces[index] or ():
                self.around[vertex].discard(index)
            self.faces[index] = None
        self.alive -= len(shared)
        for index in self.around[b]:
            one, two, three = (a if v == b else v for v in self.faces[index] or ())
            self.faces[index] = (one, two, three)
            self.around[a].add(index)
        self.around[b] = set()
        self.places[a] = place
        self.quadrics[a] += self.quadrics[b]
        self.stamps[b] = -1
        self.stamps[a] += 1
        for other in self._near(a):
            self._offer(a, other)

    def _near(self, vertex: int) -> set[int]:
        found = {v for index in self.around[vertex] for v in self.faces[index] or ()}
        found.discard(vertex)
        return found

    def _offer(self, a: int, b: int) -> None:
        place = np.append(self._place(a, b), 1.0)
        cost = float(place @ (self.quadrics[a] + self.quadrics[b]) @ place)
        # The length breaks ties on flat parts, so that faces stay of one size there.
        cost += 1e-4 * float(((self.places[a] - self.places[b]) ** 2).sum())
        heapq.heappush(self.heap, (cost, a, b, self.stamps[a], self.stamps[b]))

    def _place(self, a: int, b: int) -> Floats:
        """Where both ends go: the best point of the edge."""
        along = self.places[b] - self.places[a]
        quadric = self.quadrics[a] + self.quadrics[b]
        matrix, linear = quadric[:3, :3], quadric[:3, 3]
        curve = float(along @ matrix @ along)
        if curve < 1e-12:
            return np.asarray(self.places[a] + 0.5 * along)
        slope = float(along @ (matrix @ self.places[a] + linear))
        return np.asarray(self.places[a] + min(1.0, max(0.0, -slope / curve)) * along)

    def _folds(self, vertex: int, shared: set[int], place: Floats) -> bool:
        """Whether a face around turns by over 78 degrees when the vertex moves."""
        for index in self.around[vertex] - shared:
            face = self.faces[index] or ()
            before = self.places[list(face)]
            after = before.copy()
            after[face.index(vertex)] = place
            one = np.cross(before[1] - before[0], before[2] - before[0])
            two = np.cross(after[1] - after[0], after[2] - after[0])
            if one @ two <= 0.2 * np.sqrt((one @ one) * (two @ two)):
                return True
        return False


def _quadrics(vertices: Floats, faces: Faces) -> Floats:
    """(V, 4, 4) of each vertex: the squared distances to its faces' planes, by their area."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(across, axis=1, keepdims=True)
    unit = across / np.maximum(area, 1e-12)
    plane = np.concatenate([unit, -(unit * corners[:, 0]).sum(axis=1, keepdims=True)], axis=1)
    products = area[:, :, None] * plane[:, :, None] * plane[:, None, :]
    sums = np.zeros((len(vertices), 4, 4))
    for corner in range(3):
        np.add.at(sums, faces[:, corner], products)
    return sums
