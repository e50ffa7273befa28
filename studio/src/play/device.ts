/** What draws here: a graphics card, the processor in its stead, or nothing. */

export interface Device {
  /** Whether the processor draws, so that pixels are dear. */
  readonly software: boolean;
}

let found: Device | null | undefined;

/** Null where the browser has no WebGL 2. Asked once. */
export function device(): Device | null {
  if (found === undefined) found = probed();
  return found;
}

function probed(): Device | null {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (gl === null) return null;
  const told = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(told?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return { software: /swiftshader|llvmpipe|softpipe|software|basic render/i.test(name) };
}
