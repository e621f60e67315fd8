import { SaxesParser } from 'saxes';
import type { TagRow } from './rows.ts';

type Group = TagRow['groups'][number];

function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The group file of a repository, in the form the hub gives it (`koji.generate_comps`). */
export function toComps(groups: readonly Group[]): string {
  const sorted = [...groups].sort((a, b) => (a.name < b.name ? -1 : 1));
  return `<?xml version="1.0"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">

<comps>
${sorted.map(toGroup).join('')}</comps>
`;
}

function toGroup({ name, packages }: Group): string {
  const id = escapeText(name);
  const entries = [...packages]
    .sort()
    .map((entry) => `      <packagereq type="mandatory">${escapeText(entry)}</packagereq>\n`);
  return `  <group>
    <id>${id}</id>
    <name>${id}</name>
    <description>${id}</description>
    <default>false</default>
    <uservisible>true</uservisible>
    <packagelist>
${entries.join('')}    </packagelist>
  </group>
`;
}

/** Reads the groups of a comps file with the packages each of them lists. Throws for what is no XML. */
export function parseComps(xml: string): Group[] {
  const groups: { name: string; packages: string[] }[] = [];
  const path: string[] = [];
  let text = '';
  const parser = new SaxesParser();
  parser.on('opentag', ({ name }) => {
    path.push(name);
    text = '';
    if (path.join('/') === 'comps/group') groups.push({ name: '', packages: [] });
  });
  parser.on('text', (part) => {
    text += part;
  });
  parser.on('closetag', () => {
    const at = path.join('/');
    path.pop();
    const group = groups.at(-1);
    if (group === undefined) return;
    if (at === 'comps/group/id') group.name = text.trim();
    if (at === 'comps/group/packagelist/packagereq') group.packages.push(text.trim());
  });
  parser.write(xml).close();
  return groups;
}
