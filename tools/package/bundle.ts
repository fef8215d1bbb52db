import { build, type Plugin } from 'esbuild';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { version } from '../../src/config/version.ts';
import { addOnFiles, project } from '../lib/project.ts';

/** Replaces a module's text in the bundle. */
const exchanged = (name: string, filter: RegExp, contents: () => string): Plugin => ({
  name,
  setup: ({ onLoad }) =>
    onLoad({ filter }, () => ({ contents: contents(), loader: 'js', resolveDir: import.meta.dirname })),
});

/** Text of a module that loads an add-on with `load()` and exports it by `exports`. Decompresses it only on use. */
const addOnModule = (name: string, file: string, exports: string): string => `
  const { loadAddOn } = require('./native/add-on.ts');
  const sha256 = '${createHash('sha256').update(readFileSync(file)).digest('hex')}';
  const load = () => loadAddOn({ name: '${name}', sha256, compressed: () => require('compressed:${relative(project, file)}') });
  ${exports};`;

/**
 * `compressed:FILE` is the file's bytes in brotli. FILE is relative to the project, because the bundle contains the
 * name.
 */
const compressedFiles: Plugin = {
  name: 'compressed files',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^compressed:/ }, ({ path }) => ({
      path: path.replace('compressed:', ''),
      namespace: 'compressed',
    }));
    onLoad({ filter: /./, namespace: 'compressed' }, ({ path }) => ({
      contents: brotliCompressSync(readFileSync(join(project, path))),
      loader: 'binary',
    }));
  },
};

/**
 * Writes the whole exporter as one CommonJS file, the format of a single executable, including the add-ons. Returns the
 * npm packages in it.
 */
export const writeBundle = async (outfile: string): Promise<string[]> => {
  const { metafile } = await build({
    entryPoints: [join(project, 'src/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    // node-cron and koffi read the URL of their module.
    define: { 'import.meta.url': 'urlOfBundle' },
    banner: { js: `const urlOfBundle = require('node:url').pathToFileURL(__filename).href;` },
    logLevel: 'warning',
    metafile: true,
    absWorkingDir: project,
    plugins: [
      compressedFiles,
      exchanged('version', /\/src\/config\/version\.ts$/, () => `export const version = ${JSON.stringify(version)};`),
      exchanged('koffi', /\/koffi\/src\/koffi\/src\/static\.js$/, () =>
        addOnModule('koffi', addOnFiles.koffi, 'export const loadStatic = load'),
      ),
      exchanged('bcrypt', /\/node-gyp-build\/index\.js$/, () =>
        addOnModule('bcrypt', addOnFiles.bcrypt, 'module.exports = load'),
      ),
    ],
  });
  const packages = Object.keys(metafile.inputs).map(
    (path) => /node_modules\/(?:.*node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(path)?.[0],
  );
  return [...new Set(packages)].filter((path) => path !== undefined).sort();
};
