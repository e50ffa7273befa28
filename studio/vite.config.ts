import preact from "@preact/preset-vite";
import { defineConfig } from "vitest/config";

/** Where `kinesphere serve` listens, for `npm run dev`. */
const server = process.env["KINESPHERE_URL"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "./",
  plugins: [preact()],
  build: {
    outDir: "../src/kinesphere/studio",
    emptyOutDir: true,
    target: "es2022",
    // The policy of the page allows no inline script and no data: address for code.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  server: { proxy: { "^/(v1|health|ready|metrics|validate)": { target: server, ws: true } } },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
