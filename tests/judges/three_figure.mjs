// Reads a GLB or FBX with three.js and prints, at the frames asked for, the joints' world positions
// and the bounding box of the posed skin: node three_figure.mjs FILE FPS FRAME...
import { readFileSync } from "node:fs";
import { AnimationMixer, Box3, LoopOnce, Vector3 } from "three";
import { FBXLoader } from "three/addons/loaders/FBXLoader.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

const [file, fps, ...frames] = process.argv.slice(2);
const bytes = readFileSync(file);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const load = async () => {
  if (file.endsWith(".glb")) {
    const { scene, animations } = await new GLTFLoader().parseAsync(buffer, "");
    return { scene, animations };
  }
  const scene = new FBXLoader().parse(buffer, "");
  return { scene, animations: scene.animations };
};

const { scene, animations } = await load();
const mixer = new AnimationMixer(scene);
const action = mixer.clipAction(animations[0]).setLoop(LoopOnce, 1).play();
action.clampWhenFinished = true; // the last frame is at the clip's very end, where a loop restarts
const skins = [];
scene.traverse((each) => each.isSkinnedMesh && skins.push(each));

const positions = [];
const boxes = [];
for (const frame of frames) {
  mixer.setTime(Number(frame) / Number(fps));
  scene.updateMatrixWorld(true);
  const bones = skins[0].skeleton.bones;
  positions.push(
    Object.fromEntries(bones.map((b) => [b.name, b.getWorldPosition(new Vector3()).toArray()])),
  );
  const box = new Box3();
  for (const skin of skins) {
    skin.skeleton.update();
    const point = new Vector3();
    const count = skin.geometry.attributes.position.count;
    for (let vertex = 0; vertex < count; vertex += 1) {
      skin.getVertexPosition(vertex, point).applyMatrix4(skin.matrixWorld);
      box.expandByPoint(point);
    }
  }
  boxes.push([box.min.toArray(), box.max.toArray()]);
}
const report = { duration: animations[0].duration, skins: skins.length, positions, boxes };
console.log(JSON.stringify(report));
