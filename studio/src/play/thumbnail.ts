/** Small pictures of results, drawn one after the other by one renderer off the page. */
import { Color, PerspectiveCamera, type WebGLRenderer } from "three";

import { clipOf, positionsOf, vector, type Clip } from "./clip";
import { device } from "./device";
import { Figure } from "./figure";
import type { Glb } from "./glb";
import { edition, type Job } from "./job";
import { Model } from "./model";
import { glbFrom } from "./source";
import { NoWebGL, Place, rendererOn } from "./stage";

const WIDTH = 320;
const HEIGHT = 240;
const FIELD = 30;
/** Pictures kept; the oldest is forgotten first. */
const KEPT = 300;
/** ms without work after which the renderer gives its context back. */
const REST = 5_000;
const BACKGROUND = new Color(0x808894);
const GRID = "#808894";

const pictures = new Map<string, Promise<string>>();
let line: Promise<unknown> = Promise.resolve();
let renderer: WebGLRenderer | null = null;
let resting = 0;

/**
 * The address of a picture of a job's result. Throws NoWebGL where there is none, and whatever
 * fetching the result throws; what failed is tried again when it is asked for again.
 */
export function thumbnail(job: Job): Promise<string> {
  const wanted = edition(job);
  let picture = pictures.get(wanted);
  if (picture === undefined) {
    picture = line.then(() => drawn(job));
    line = picture.catch(() => undefined);
    picture.catch(() => pictures.delete(wanted));
  }
  // Those asked for last are kept longest.
  pictures.delete(wanted);
  pictures.set(wanted, picture);
  for (const [oldest, url] of pictures) {
    if (pictures.size <= KEPT) break;
    pictures.delete(oldest);
    void url.then((found) => { URL.revokeObjectURL(found); }, () => undefined);
  }
  return picture;
}

async function drawn(job: Job): Promise<string> {
  const found = device();
  if (found === null) throw new NoWebGL();
  const glb = await glbFrom(job, new AbortController().signal);
  const place = new Place(await posed(job, glb), found.software);
  try {
    return URL.createObjectURL(await painted(place, found.software));
  } finally {
    place.dispose();
  }
}

async function posed(job: Job, glb: Glb): Promise<Figure | Model> {
  if (job.task === "mesh") return Model.from(glb);
  const figure = new Figure(glb, clipOf(glb));
  figure.pose(tellingFrame(figure.clip, figure.positions));
  return figure;
}

function painted(place: Place, software: boolean): Promise<Blob> {
  clearTimeout(resting);
  renderer ??= rendererOn(document.createElement("canvas"), software, true);
  const { exhibit } = place;
  const { radius } = exhibit;
  // Whoever leaps is looked at in the air.
  const middle = Math.max(exhibit.middle, exhibit instanceof Figure ? exhibit.height : 0);
  renderer.setSize(WIDTH, HEIGHT, false);
  renderer.setClearColor(BACKGROUND, 0);
  place.arrange(WIDTH, HEIGHT);
  place.paint(GRID);
  const eye = new PerspectiveCamera(FIELD, WIDTH / HEIGHT, radius / 40, radius * 100);
  const away = (radius * 0.96) / Math.sin((FIELD * Math.PI) / 360);
  eye.position.set(0.62, 0.32, 1).setLength(away);
  eye.position.y += middle;
  eye.position.add(place.anchor);
  eye.lookAt(place.anchor.x, middle, place.anchor.z);
  renderer.render(place.scene, eye);
  const { domElement } = renderer;
  resting = window.setTimeout(rest, REST);
  return new Promise((resolve, reject) => {
    // Read in the task that drew it: afterwards the canvas is blank.
    domElement.toBlob((blob) => {
      if (blob === null) reject(new NoWebGL());
      else resolve(blob);
    }, "image/webp", 0.85);
  });
}

function rest(): void {
  renderer?.dispose();
  renderer?.forceContextLoss();
  renderer = null;
}

/** The frame in which hands and feet are furthest from where they begin, seen from the root. */
export function tellingFrame(clip: Clip, positions = positionsOf(clip)): number {
  const joints = clip.names.length;
  const ends = ["L_Wrist", "R_Wrist", "L_Foot", "R_Foot"]
    .map((name) => clip.names.indexOf(name))
    .filter((joint) => joint >= 0);
  const held = (frame: number, joint: number) => {
    const [x, y, z] = vector(positions, frame * joints + joint);
    const [rx, , rz] = vector(clip.translation, frame);
    return [x - rx, y, z - rz] as const;
  };
  let best = 0;
  let most = 0;
  for (let frame = 1; frame < clip.frames; frame += 1) {
    const away = ends.reduce((sum, joint) => {
      const [x, y, z] = held(frame, joint);
      const [ox, oy, oz] = held(0, joint);
      return sum + Math.hypot(x - ox, y - oy, z - oz);
    }, 0);
    if (away > most) [best, most] = [frame, away];
  }
  return best;
}
