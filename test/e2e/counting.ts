/** A spec that writes a numbered line every tenth of a second while it is built, from 1 to the given number. */
export function countingSpec(numbers: number): string {
  return `BuildArch: noarch

%description
Counts.

%build
for number in $(seq 1 ${numbers}); do echo "count $number"; sleep 0.1; done

%install
mkdir -p %{buildroot}/usr/share/counting
echo counted > %{buildroot}/usr/share/counting/result

%files
/usr/share/counting/result
`;
}

/** The numbers in its build.log. */
export function countedIn(log: string): readonly number[] {
  return [...log.matchAll(/^count (\d+)$/gm)].map(([, number]) => Number(number));
}

/** What they are when there is neither gap nor duplicate. */
export function allNumbers(numbers: number): readonly number[] {
  return Array.from({ length: numbers }, (_, index) => index + 1);
}
