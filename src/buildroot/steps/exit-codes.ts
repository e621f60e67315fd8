/** The statuses with which scripts of a buildroot's containers end, besides those of what they run. */

/** `rpm` could not unpack the source package; mock's exit status for it is the same. */
export const sourceNotInstallable = 40;
/** The root has no such program, by the script's status: its packages do not bring it. */
export const lackingPrograms: Readonly<Record<number, 'rpm' | 'rpmbuild'>> = { 94: 'rpm', 95: 'rpmbuild' };
/** A package in the cache is not what its name says. */
export const damagedPackage = 41;
/** The package, made again in its root, does not ask for what was installed for it. */
export const otherRequirements = 97;
/** rpmbuild's own status for "build requirements are missing", which is how `-br` ends. */
export const requirementsMissing = 11;
/** The bootstrap image has no Python with rpm's bindings. Neither rpm nor Python end with it by themselves. */
export const noRpmBindings = 96;
/** The bootstrap image has no package manager that will do. dnf has statuses of its own up to 3, and from 100 on. */
export const noPackageManager = 98;
