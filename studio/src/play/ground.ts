/** The floor: a grid of metres that fades into the background, and the shadow that falls on it. */
import {
  Color, Group, Mesh, PlaneGeometry, ShaderMaterial, ShadowMaterial, type Vector3,
} from "three";

const VERTEX = `
varying vec2 place;
void main() {
  vec4 world = modelMatrix * vec4(position, 1.0);
  place = world.xz;
  gl_Position = projectionMatrix * viewMatrix * world;
}`;

// A line is one pixel wide at any distance, and fades where lines would be closer than pixels.
const FRAGMENT = `
uniform vec3 colour;
uniform vec2 centre;
uniform float cell;
uniform float reach;
varying vec2 place;
float lines(float size) {
  vec2 at = place / size;
  vec2 width = fwidth(at);
  vec2 away = abs(fract(at - 0.5) - 0.5) / max(width, 1e-6);
  return (1.0 - min(min(away.x, away.y), 1.0)) * (1.0 - min(max(width.x, width.y) * 2.0, 1.0));
}
void main() {
  float fade = 1.0 - smoothstep(0.25 * reach, reach, distance(place, centre));
  float drawn = max(lines(cell), 0.4 * lines(0.25 * cell));
  gl_FragColor = vec4(colour, drawn * fade);
  #include <colorspace_fragment>
}`;

export class Ground {
  readonly root = new Group();
  private readonly plane: PlaneGeometry;
  private readonly floor: PlaneGeometry;
  private readonly grid: ShaderMaterial;
  private readonly shade = new ShadowMaterial({ opacity: 0.28, transparent: true });

  constructor(radius: number) {
    const reach = radius * 6;
    this.plane = new PlaneGeometry(2 * reach, 2 * reach).rotateX(-Math.PI / 2);
    // A grid of metres for a figure; for a thing of unknown size, of its power of ten.
    const cell = radius > 0.7 && radius < 3 ? 1 : 10 ** Math.ceil(Math.log10(radius));
    this.grid = new ShaderMaterial({
      vertexShader: VERTEX,
      fragmentShader: FRAGMENT,
      transparent: true,
      depthWrite: false,
      uniforms: {
        colour: { value: new Color() }, centre: { value: [0, 0] },
        cell: { value: cell }, reach: { value: reach },
      },
    });
    // No further than shadows fall: reading the shadow map is most of what a pixel costs.
    this.floor = new PlaneGeometry(5 * radius, 5 * radius).rotateX(-Math.PI / 2);
    const floor = new Mesh(this.floor, this.shade);
    floor.receiveShadow = true;
    // Drawn one after the other, so that the order of two coplanar faces is no chance.
    floor.renderOrder = 2;
    const grid = new Mesh(this.plane, this.grid);
    grid.renderOrder = 1;
    this.root.add(grid, floor);
  }

  paint(line: string): void {
    (this.grid.uniforms["colour"]?.value as Color).set(line);
  }

  /** Under what is looked at, so that it never ends. */
  follow(centre: Vector3): void {
    this.root.position.set(centre.x, this.root.position.y, centre.z);
    const uniform = this.grid.uniforms["centre"];
    if (uniform) uniform.value = [centre.x, centre.z];
  }

  dispose(): void {
    this.plane.dispose();
    this.floor.dispose();
    this.grid.dispose();
    this.shade.dispose();
  }
}
