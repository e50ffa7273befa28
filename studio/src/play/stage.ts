/** Where exhibits stand: one canvas, one camera for all its views, drawn when something changes. */
import {
  DirectionalLight, HemisphereLight, NoToneMapping, PCFShadowMap, PerspectiveCamera, Scene, Vector2,
  Vector3, WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

import { device } from "./device";
import type { Exhibit } from "./exhibit";
import { Ground } from "./ground";
import { Pace } from "./pace";
import { coloursAt, onTheme, reducedMotion } from "./theme";

/** The browser has no WebGL, or gave no more of it. */
export class NoWebGL extends Error {}

export const VIEWS = ["front", "side", "top", "free"] as const;
export type View = (typeof VIEWS)[number];

const FIELD = 30;
const SHARPEST = 2;
/** ms without a draw after which things are still. */
const STILL = 500;
const FROM: Readonly<Record<View, Vector3>> = {
  front: new Vector3(0, 0.06, 1),
  side: new Vector3(1, 0.06, 0),
  // Not quite straight down, where left and right would be anybody's guess.
  top: new Vector3(0, 1, 0.001),
  free: new Vector3(0.62, 0.32, 1),
};

/** A scene of its own for each exhibit. */
export class Place {
  readonly scene = new Scene();
  readonly anchor = new Vector3();
  private readonly key = new DirectionalLight(0xffffff, 2.1);
  private readonly ground: Ground;

  constructor(readonly exhibit: Exhibit, software: boolean) {
    const { radius } = exhibit;
    this.ground = new Ground(radius);
    const { shadow } = this.key;
    this.key.castShadow = true;
    shadow.mapSize.setScalar(software ? 512 : 2048);
    shadow.radius = software ? 2 : 5;
    shadow.bias = -0.0005;
    shadow.normalBias = 0.012 * radius;
    const reach = 1.7 * radius;
    Object.assign(shadow.camera, {
      left: -reach, right: reach, top: reach, bottom: -reach, near: radius, far: 9 * radius,
    });
    this.scene.add(
      new HemisphereLight(0xffffff, 0x8f8a84, 1.9), this.key, this.key.target,
      this.ground.root, exhibit.root,
    );
  }

  paint(line: string): void {
    this.ground.paint(line);
  }

  arrange(width: number, height: number): void {
    const { radius } = this.exhibit;
    this.exhibit.anchor(this.anchor);
    this.ground.follow(this.anchor);
    this.key.position.set(1.6, 4, 2.2).multiplyScalar(radius).add(this.anchor);
    this.key.target.position.copy(this.anchor);
    this.exhibit.before(width, height);
  }

  dispose(): void {
    this.ground.dispose();
    this.key.dispose();
    this.exhibit.dispose();
  }
}

export interface StageWants {
  /** Whether to go on drawing; `elapsed` are seconds since the frame before, 0 after a rest. */
  readonly tick: (elapsed: number) => boolean;
  /** The graphics card has gone, or come back. */
  readonly lost: (gone: boolean) => void;
}

export class Stage {
  readonly canvas = document.createElement("canvas");
  private readonly renderer: WebGLRenderer;
  private readonly camera = new PerspectiveCamera(FIELD);
  private readonly eye = new PerspectiveCamera(FIELD);
  private readonly controls: OrbitControls;
  private readonly places: (Place | null)[] = [];
  private readonly software: boolean;
  private readonly leave = new AbortController();
  private readonly size = new Vector2();
  private readonly undo: (() => void)[] = [];
  private pending = 0;
  private next = 0;
  private last = 0;
  private drawn = -Infinity;
  private readonly pace: Pace;
  private moving = false;
  private held = false;
  private settling = 0;
  private line = "#808080";

  constructor(
    private readonly host: HTMLElement,
    private readonly views: number,
    private readonly wants: StageWants,
  ) {
    const found = device();
    if (found === null) throw new NoWebGL();
    this.software = found.software;
    this.pace = new Pace(this.software);
    this.renderer = rendererOn(this.canvas, this.software);
    host.append(this.canvas);
    this.controls = new OrbitControls(this.camera, this.canvas);
    this.controls.enableDamping = !reducedMotion();
    this.controls.dampingFactor = 0.12;
    this.controls.addEventListener("change", this.invalidate);
    this.controls.addEventListener("start", () => { this.hold(true); });
    this.controls.addEventListener("end", () => { this.hold(false); });
    const resized = new ResizeObserver(this.resize);
    resized.observe(host);
    this.undo.push(onTheme(this.paint), () => {
      resized.disconnect();
    });
    const { signal } = this.leave;
    this.canvas.addEventListener("webglcontextlost", () => { wants.lost(true); }, { signal });
    this.canvas.addEventListener(
      "webglcontextrestored",
      () => {
        wants.lost(false);
        // three.js begins anew, the background's colour included.
        this.paint();
      },
      { signal },
    );
    this.paint();
  }

  /** Puts an exhibit on a view in place of the one before, which is disposed of. */
  show(index: number, exhibit: Exhibit | null): void {
    const first = !this.places.some((place) => place != null);
    this.places[index]?.dispose();
    this.places[index] = exhibit && new Place(exhibit, this.software);
    this.places[index]?.paint(this.line);
    this.resize();
    if (first && exhibit !== null) this.look("free");
  }

  readonly invalidate = (): void => {
    this.pending ||= requestAnimationFrame(this.draw);
  };

  /** Something is dragged: however slowly it is drawn, it moves until it is let go of. */
  hold(on: boolean): void {
    this.held = on;
    this.mind(true);
    this.invalidate();
  }

  /** Looks at the exhibits from one of the fixed sides, all of them in sight. */
  look(view: View): void {
    const shown = this.places.find((place) => place != null)?.exhibit;
    if (shown === undefined) return;
    const narrow = Math.min(1, this.camera.aspect);
    const away = (shown.radius * 1.04) / Math.sin((FIELD * Math.PI) / 360) / narrow;
    this.controls.target.set(0, shown.middle, 0);
    this.camera.position.copy(FROM[view]).setLength(away).add(this.controls.target);
    this.controls.minDistance = shown.radius * 0.4;
    this.controls.maxDistance = shown.radius * 40;
    for (const one of [this.camera, this.eye]) {
      one.near = shown.radius / 40;
      one.far = shown.radius * 100;
    }
    this.controls.update();
    this.invalidate();
  }

  /** Goes round the exhibit, or nearer (below 1) and further, for those without a pointer. */
  orbit(radians: number, distance: number): void {
    const from = this.camera.position.clone().sub(this.controls.target);
    from.applyAxisAngle(this.camera.up, radians).multiplyScalar(distance);
    this.camera.position.copy(this.controls.target).add(from);
    this.controls.update();
    this.invalidate();
  }

  dispose(): void {
    cancelAnimationFrame(this.pending);
    cancelAnimationFrame(this.next);
    clearTimeout(this.settling);
    // Whatever is asked for after this is not drawn.
    this.pending = -1;
    this.leave.abort();
    for (const undo of this.undo) undo();
    for (const place of this.places) place?.dispose();
    this.controls.dispose();
    this.renderer.dispose();
    // Browsers keep few contexts; this one is not left to the garbage collector.
    this.renderer.forceContextLoss();
    this.canvas.remove();
  }

  private readonly paint = (): void => {
    const colours = coloursAt(this.host);
    this.line = colours.line;
    this.renderer.setClearColor(colours.panel);
    for (const place of this.places) place?.paint(colours.line);
    this.invalidate();
  };

  private readonly resize = (): void => {
    const { clientWidth, clientHeight } = this.host;
    if (clientWidth === 0 || clientHeight === 0) return;
    const full = this.software ? 1 : Math.min(SHARPEST, window.devicePixelRatio);
    const pixels = clientWidth * clientHeight * full ** 2;
    this.renderer.setPixelRatio(full * (this.moving ? this.pace.share(pixels) : 1));
    this.renderer.setSize(clientWidth, clientHeight, false);
    const [, , width, height] = this.region(0);
    this.camera.aspect = width / height;
    // Drawn at once: a canvas that was sized is blank until it is.
    this.render();
  };

  /** x, y, width and height of a view: side by side, or one above the other. */
  private region(index: number): readonly [number, number, number, number] {
    const { x: width, y: height } = this.renderer.getSize(this.size);
    const count = this.views;
    if (width >= height * 0.9) return [(width * index) / count, 0, width / count, height];
    return [0, (height * (count - 1 - index)) / count, width, height / count];
  }

  private readonly draw = (now: number): void => {
    this.pending = 0;
    const elapsed = this.last === 0 ? 0 : Math.min(0.5, (now - this.last) / 1000);
    const going = this.wants.tick(elapsed);
    this.last = going ? now : 0;
    this.controls.update();
    this.mind(going || this.held || now - this.drawn < STILL);
    this.drawn = now;
    this.render();
    if (going) this.invalidate();
    // When the browser is ready for the next picture, whether one is wanted or not.
    if (this.moving) this.next ||= requestAnimationFrame(this.judge);
  };

  private readonly judge = (now: number): void => {
    this.next = 0;
    if (this.moving && this.pace.took(now - this.drawn)) this.resize();
  };

  /** Fewer pixels while things move where they are dear, all of them once they are still. */
  private mind(moving: boolean): void {
    clearTimeout(this.settling);
    if (moving) this.settling = window.setTimeout(this.settle, STILL);
    if (moving === this.moving) return;
    this.moving = moving;
    this.resize();
  }

  private readonly settle = (): void => {
    // A canvas that changes its size costs more than a slow picture, so it waits for the next.
    if (this.pending !== 0 || this.held) this.mind(true);
    else this.mind(false);
  };

  private render(): void {
    this.renderer.setScissorTest(true);
    this.places.forEach((place, index) => {
      const [x, y, width, height] = this.region(index);
      this.renderer.setViewport(x, y, width, height);
      this.renderer.setScissor(x, y, width, height);
      if (place === null) {
        this.renderer.clear();
        return;
      }
      place.arrange(width, height);
      this.eye.position.copy(this.camera.position).add(place.anchor);
      this.eye.quaternion.copy(this.camera.quaternion);
      this.eye.aspect = width / height;
      this.eye.updateProjectionMatrix();
      this.renderer.render(place.scene, this.eye);
    });
  }
}

/**
 * A renderer with shadows; without smoothed edges where the processor would pay for them. What is
 * not `clear` has a ground of its own, and costs less to lay over the page.
 */
export function rendererOn(
  canvas: HTMLCanvasElement, software: boolean, clear = false,
): WebGLRenderer {
  let renderer: WebGLRenderer;
  try {
    const wanted = { alpha: clear, antialias: !software, powerPreference: "low-power" };
    const context = canvas.getContext("webgl2", wanted as WebGLContextAttributes);
    if (context === null) throw new NoWebGL();
    renderer = new WebGLRenderer({ canvas, context });
  } catch {
    throw new NoWebGL();
  }
  renderer.toneMapping = NoToneMapping;
  renderer.shadowMap.enabled = true;
  renderer.shadowMap.type = PCFShadowMap;
  return renderer;
}
