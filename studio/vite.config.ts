import { brotliCompressSync, constants, gzipSync } from "node:zlib";

import preact from "@preact/preset-vite";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Where `kinesphere serve` listens, for `npm run dev`. */
const server = process.env["KINESPHERE_URL"] ?? "http://127.0.0.1:8000";

/** Beside each part lies what it is packed, so that no server has to pack it at each request. */
const packed: Plugin = {
  name: "packed",
  apply: "build",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      for (const part of Object.values(bundle)) {
        const plain = Buffer.from(part.type === "chunk" ? part.code : part.source);
        if (plain.length < 1_000 || !/\.(js|css|svg|json)$/.test(part.fileName)) continue;
        const ways = {
          // Two steps below the most, which takes ten times as long for a twentieth less.
          br: brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
          gz: gzipSync(plain, { level: 9 }),
        };
        for (const [ending, source] of Object.entries(ways))
          this.emitFile({ type: "asset", fileName: `${part.fileName}.${ending}`, source });
      }
    },
  },
};

export default defineConfig({
  base: "./",
  plugins: [preact(), packed],
  build: {
    outDir: "../src/kinesphere/studio",
    emptyOutDir: true,
    target: "es2022",
    // The policy of the page allows no inline script and no data: address for code.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // three.js, which only those who play something fetch.
    chunkSizeWarningLimit: 1_000,
  },
  server: { proxy: { "^/(v1|health|ready|metrics|validate)": { target: server, ws: true } } },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
