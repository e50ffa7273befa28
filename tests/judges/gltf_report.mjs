// Validates a GLB with Khronos' validator and prints its report: node gltf_report.mjs FILE
import { readFileSync } from "node:fs";
import validator from "gltf-validator";

const [file] = process.argv.slice(2);
const bytes = new Uint8Array(readFileSync(file));
const report = await validator.validateBytes(bytes, { maxIssues: 100, writeTimestamp: false });
console.log(JSON.stringify(report));
