export * from "./types";
export { aborted, Problem, Unreachable } from "./problem";
export { key, signIn, signOut, decline, wanted } from "./access";
export { at, reachable } from "./reach";
export { address, ask, make, request, type Options, type Query } from "./request";
export { follow, type Told } from "./events";
export { backOff, pause } from "./pause";
export * from "./jobs";
export * from "./preview";
