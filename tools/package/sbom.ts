import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandOutput } from '../lib/command.ts';
import { machine, nodePackage, nodeVersion, project } from '../lib/project.ts';
import type { DebianPackage } from './libraries.ts';
import { sourceDate } from './tree.ts';

interface Component {
  readonly type: string;
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly cpe?: string;
}

/** The used part of a CycloneDX JSON software bill of materials. */
export interface Sbom {
  readonly serialNumber?: string;
  readonly metadata: { readonly timestamp: string; readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** npm's `bom-ref` for the package in a folder. */
const refOf = (folder: string): string => {
  const { name, version } = JSON.parse(readFileSync(join(project, folder, 'package.json'), 'utf8')) as Component;
  return `${name}@${version}`;
};

/** A component. Node gets the name that vulnerability lists use. */
const withNames = (component: Component): Component =>
  component.name === nodePackage
    ? { ...component, type: 'platform', cpe: `cpe:2.3:a:nodejs:node.js:${nodeVersion}:*:*:*:*:*:*:*` }
    : component;

/**
 * Only these components, with the same bytes at each build: npm adds a random number, the time and the project folder's
 * name.
 */
const restrictedTo = ({ serialNumber: _random, ...sbom }: Sbom, wanted: readonly string[]): Sbom => {
  const components = sbom.components.filter((component) => wanted.includes(component['bom-ref'])).map(withNames);
  const application = { ...sbom.metadata.component, name: 'xen-exporter' };
  const refs = new Set([application, ...components].map((component) => component['bom-ref']));
  const missing = wanted.filter((ref) => !refs.has(ref));
  if (missing.length > 0) throw new Error(`npm sbom: expected ${missing.join(', ')} among its components`);
  return {
    ...sbom,
    metadata: {
      ...sbom.metadata,
      timestamp: new Date(sourceDate() * 1e3).toISOString(),
      component: application,
    },
    components,
    dependencies: sbom.dependencies
      .filter(({ ref }) => refs.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => refs.has(each)) })),
  };
};

/**
 * SBOM of everything in the binary other than the exporter, from npm: Node, and npm packages given as folders. Without
 * --omit=dev, because npm then omits packages that tools and the exporter share. The bundle also contains packages that
 * only tools request, such as supports-color.
 */
export const softwareBill = async (packages: readonly string[]): Promise<Sbom> => {
  const args = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application'];
  const env = { ...process.env, npm_config_update_notifier: 'false' };
  const title = 'npm sbom, of npm 10.2 or newer';
  const sbom = JSON.parse(await commandOutput('npm', args, { cwd: project, env, title })) as Sbom;
  return restrictedTo(sbom, [...packages, `node_modules/${nodePackage}`].map(refOf));
};

const componentOf = ({ name, version: itsVersion }: DebianPackage): Component => {
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(itsVersion)}?arch=${machine.debian}`;
  return { type: 'library', 'bom-ref': purl, name, version: itsVersion, purl };
};

/** Adds Debian packages. */
export const withDebianPackages = (sbom: Sbom, packages: readonly DebianPackage[]): Sbom => {
  const added = packages.map(componentOf);
  const root = sbom.metadata.component['bom-ref'];
  return {
    ...sbom,
    components: [...sbom.components, ...added],
    dependencies: [
      ...sbom.dependencies.map(({ ref, dependsOn }) =>
        ref === root ? { ref, dependsOn: [...dependsOn, ...added.map((each) => each['bom-ref'])] } : { ref, dependsOn },
      ),
      ...added.map((each) => ({ ref: each['bom-ref'], dependsOn: [] })),
    ],
  };
};

/** The SBOM as a file. */
export const sbomText = (sbom: Sbom): string => `${JSON.stringify(sbom, undefined, 2)}\n`;

/** Its path in each package. */
export const sbomName = 'sbom.cdx.json';
