import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Lays a packed file beside each: the server sends them as they are. */
function packed(): Plugin {
  let folder = "";
  const pack = (path: string): void => {
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path)) pack(join(path, name));
    } else {
      writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
    }
  };
  return {
    name: "packed",
    apply: "build",
    configResolved: (config) => {
      folder = config.build.outDir;
    },
    closeBundle: () => pack(folder),
  };
}

/** For `npm run dev`: a server that runs already, whose guard is told what it expects of its own page. */
const server = process.env["LOOKBACK_URL"] ?? "http://127.0.0.1:1688";
const passedOn = {
  target: server,
  changeOrigin: true,
  ws: true,
  headers: { origin: server, "sec-fetch-site": "same-origin" },
};
const paths = ["/api", "/hls", "/replays", "/clips", "/jobs", "/thumbnails", "/decks", "/video"];

export default defineConfig({
  plugins: [packed()],
  build: {
    target: "es2022",
    // Nothing is inlined: the page's policy allows no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What others have written is handed on with what they ask for.
    license: { fileName: "assets/licenses.md" },
    // The player is loaded when there is something to play.
    chunkSizeWarningLimit: 500,
  },
  server: { proxy: Object.fromEntries(paths.map((path) => [path, passedOn])) },
});
