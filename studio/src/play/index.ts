/**
 * The player. three.js is in here alone: import this with `import("../play")` where it is first
 * needed. What asks and downloads, without drawing, is in `./share`.
 */
import "./style.css";

export { Blind, Compare, Player } from "./player";
export { Share } from "./share";
export { thumbnail } from "./thumbnail";
export type { Artifact, Job } from "./job";
