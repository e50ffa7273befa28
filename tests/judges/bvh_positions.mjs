// Reads a BVH with three.js and prints the joints' world positions at the frames asked for:
// node bvh_positions.mjs FILE FRAME_TIME FRAME...
import { readFileSync } from "node:fs";
import { AnimationMixer, Group, LoopOnce, Vector3 } from "three";
import { BVHLoader } from "three/addons/loaders/BVHLoader.js";

const [file, frameTime, ...frames] = process.argv.slice(2);
const { clip, skeleton } = new BVHLoader().parse(readFileSync(file, "utf8"));
const root = new Group();
root.add(skeleton.bones[0]);
const mixer = new AnimationMixer(root);
const action = mixer.clipAction(clip).setLoop(LoopOnce, 1).play();
action.clampWhenFinished = true; // the last frame is at the clip's very end, where a loop restarts

const positions = frames.map((frame) => {
  mixer.setTime(Number(frame) * Number(frameTime));
  root.updateMatrixWorld(true);
  const joints = skeleton.bones.filter((bone) => bone.name !== "ENDSITE");
  return Object.fromEntries(
    joints.map((bone) => [bone.name, bone.getWorldPosition(new Vector3()).toArray()]),
  );
});
console.log(JSON.stringify({ duration: clip.duration, positions }));
