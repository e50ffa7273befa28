/** What a stage shows. */
import type { Object3D, Vector3 } from "three";

export interface Exhibit {
  readonly root: Object3D;
  /** Of a ball that holds it, about a point so high above the ground. */
  readonly radius: number;
  readonly middle: number;
  /** The point of the ground that the camera looks at. */
  anchor(into: Vector3): Vector3;
  /** Called before it is drawn on a view of so many pixels. */
  before(width: number, height: number): void;
  dispose(): void;
}
