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

/** A software bill of materials as CycloneDX has it in JSON: what is used of it here. */
export interface Sbom {
  readonly serialNumber?: string;
  readonly metadata: { readonly timestamp: string; readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** The `bom-ref` that npm gives to the package in a folder. */
const refOf = (folder: string): string => {
  const { name, version } = JSON.parse(readFileSync(join(project, folder, 'package.json'), 'utf8')) as Component;
  return `${name}@${version}`;
};

/** A component, Node with the name by which lists of vulnerabilities know it. */
const withNames = (component: Component): Component =>
  component.name === nodePackage
    ? { ...component, type: 'platform', cpe: `cpe:2.3:a:nodejs:node.js:${nodeVersion}:*:*:*:*:*:*:*` }
    : component;

/** Only these components, with the same bytes at each build: npm adds a random number, the time and the name of the project's folder. */
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
 * What the binary holds beside the exporter, as npm reports it: Node, and packages of npm's given as folders. Not by --omit=dev: npm then leaves out
 * what tools share with the exporter, and the bundle also holds packages that only tools ask for, such as supports-color.
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

/** The same with packages of Debian's. */
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

/** As a file holds it. */
export const sbomText = (sbom: Sbom): string => `${JSON.stringify(sbom, undefined, 2)}\n`;

/** Where each package has it. */
export const sbomName = 'sbom.cdx.json';
