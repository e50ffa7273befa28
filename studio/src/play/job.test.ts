import { expect, test } from "vitest";

import { edition, glbOf, resultOf, type Artifact, type Job } from "./job";
import { curl, python, quoted } from "./snippets";

const file = (name: string, stage: number): Artifact => ({ name, stage, url: "", size: 1 });

function made(task: string, request: Record<string, unknown>, ...artifacts: Artifact[]): Job {
  return {
    id: "01", task, state: "succeeded", artifacts, request,
    model: { name: "choreo", version: "1" },
  };
}

test("the shape is shown until the textured mesh takes its place", () => {
  const shape = file("shape.glb", 0);
  const mesh = file("mesh.glb", 1);
  const cut = file("object.png", 0);
  expect(resultOf(made("mesh", {}, cut))).toBeNull();
  expect(edition(made("mesh", {}, cut))).toBe("");
  expect(glbOf(made("mesh", {}, shape, cut))).toBe(shape);
  expect(glbOf(made("mesh", {}, shape, cut, mesh))).toBe(mesh);
  expect(edition(made("mesh", {}, shape))).not.toBe(edition(made("mesh", {}, shape, mesh)));
});

test("a result that is no GLB has to be converted, not its shape shown", () => {
  const job = made("mesh", {}, file("shape.glb", 0), file("mesh.obj.zip", 1));
  expect(glbOf(job)).toBeNull();
  expect(python(job, "http://h")).toContain(`to="mesh.obj.zip"`);
});

test("a prompt survives the shell and Python", () => {
  const prompt = `it's a "walk" \\ 走`;
  const job = made("motion", { prompt, duration: 2, seed: 7, format: "bvh", other: 1 },
    file("motion.bvh", 0));
  expect(quoted("it's")).toBe(`'it'\\''s'`);
  const command = curl(job, "http://h", true);
  expect(command).toContain(quoted(JSON.stringify({
    prompt, duration: 2, seed: 7, format: "bvh", model: "choreo",
  })));
  expect(command).toContain("$KINESPHERE_API_KEY");
  expect(curl(job, "http://h", false)).not.toContain("KEY");
  expect(python(job, "http://h")).toContain(JSON.stringify(prompt));
});

test("a mesh is asked for with a picture of one's own", () => {
  const job = made("mesh", { texture: true, faces: null, seed: 7 }, file("mesh.glb", 1));
  expect(curl(job, "http://h", false)).toContain("-F image=@picture.png");
  expect(curl(job, "http://h", false)).not.toContain("faces");
  expect(python(job, "http://h")).toContain("texture=True,");
});
