/** The figure of a stream: a rounded bone between every two joints, on a ground with a grid. */
import {
  Color, DirectionalLight, GridHelper, HemisphereLight, InstancedMesh, Matrix4,
  MeshStandardMaterial, PerspectiveCamera, Quaternion, Scene, SphereGeometry, Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

import { Body, type Frame, type Skeleton } from "./frames";

/** m across the middle of a bone, and of the head. */
const THICK = 0.105;
const HEAD = 0.18;
/** m by which a bone reaches over its joints. */
const OVER = 0.05;
const UP = new Vector3(0, 1, 0);

export class Figure {
  private readonly canvas = document.createElement("canvas");
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(35, 1, 0.1, 100);
  private readonly controls: OrbitControls;
  private readonly grid = new GridHelper(12, 24);
  private readonly skin = new MeshStandardMaterial({ roughness: 0.7 });
  private readonly bone = new SphereGeometry(0.5, 20, 14);
  private readonly undo: (() => void)[] = [];
  private readonly middle = new Vector3(0, 0.95, 0);
  private body: Body | null = null;
  private limbs: InstancedMesh | null = null;
  private pending = 0;

  /** Throws where the browser has no WebGL. */
  constructor(private readonly host: HTMLElement) {
    this.renderer = new WebGLRenderer({ canvas: this.canvas, antialias: true });
    this.canvas.setAttribute("aria-hidden", "true");
    host.append(this.canvas);
    this.camera.position.set(1.9, 1.7, 3.6);
    this.controls = new OrbitControls(this.camera, this.canvas);
    this.controls.target.copy(this.middle);
    this.controls.maxPolarAngle = Math.PI / 2;
    this.controls.update();
    this.controls.addEventListener("change", this.invalidate);
    const light = new DirectionalLight(0xffffff, 2);
    light.position.set(2, 4, 3);
    this.scene.add(new HemisphereLight(0xffffff, 0x8f8a84, 1.6), light, this.grid);
    const resized = new ResizeObserver(this.resize);
    resized.observe(host);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", this.paint);
    const themed = new MutationObserver(this.paint);
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.undo.push(() => {
      resized.disconnect();
      themed.disconnect();
      dark.removeEventListener("change", this.paint);
    });
    this.paint();
  }

  meet(skeleton: Skeleton): void {
    this.body = new Body(skeleton);
    this.limbs?.removeFromParent();
    this.limbs?.dispose();
    this.limbs = new InstancedMesh(this.bone, this.skin, this.body.bones.length / 6);
    this.limbs.frustumCulled = false;
    this.scene.add(this.limbs);
  }

  show(frame: Frame): void {
    const { body, limbs } = this;
    if (body === null || limbs === null) return;
    body.pose(frame);
    const [from, to, way] = [new Vector3(), new Vector3(), new Vector3()];
    const [turn, size, placed] = [new Quaternion(), new Vector3(), new Matrix4()];
    for (let each = 0; each < limbs.count; each += 1) {
      from.fromArray(body.bones, 6 * each);
      to.fromArray(body.bones, 6 * each + 3);
      way.subVectors(to, from);
      const length = way.length();
      turn.setFromUnitVectors(UP, length > 1e-6 ? way.divideScalar(length) : UP);
      const wide = each === body.head ? HEAD : THICK;
      size.set(wide, length + OVER, wide);
      placed.compose(from.add(to).multiplyScalar(0.5), turn, size);
      limbs.setMatrixAt(each, placed);
    }
    limbs.instanceMatrix.needsUpdate = true;
    this.follow(body.place(0));
    this.invalidate();
  }

  dispose(): void {
    cancelAnimationFrame(this.pending);
    for (const each of this.undo) each();
    this.controls.dispose();
    this.limbs?.dispose();
    this.grid.dispose();
    this.bone.dispose();
    this.skin.dispose();
    this.renderer.dispose();
    this.canvas.remove();
  }

  /** The camera goes along over the ground, whose lines stay where they are. */
  private follow([x, , z]: readonly [number, number, number]): void {
    const way = new Vector3(x - this.controls.target.x, 0, z - this.controls.target.z);
    this.controls.target.add(way);
    this.camera.position.add(way);
    this.grid.position.set(Math.round(x), 0, Math.round(z));
  }

  private readonly paint = (): void => {
    const style = getComputedStyle(this.host);
    const colour = (name: string) => new Color(style.getPropertyValue(`--${name}`).trim() || "#808080");
    this.scene.background = colour("panel");
    this.skin.color = colour("accent");
    const lines = this.grid.material;
    lines.vertexColors = false;
    lines.color = colour("line");
    lines.needsUpdate = true;
    this.invalidate();
  };

  private readonly resize = (): void => {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (!width || !height) return;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.invalidate();
  };

  private readonly invalidate = (): void => {
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      this.renderer.render(this.scene, this.camera);
    });
  };
}
