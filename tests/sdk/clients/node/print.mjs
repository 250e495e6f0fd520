// Asks one question of a client and prints what came of it: {"value": …} or {"error": {"name", "status"}}.

export const asked = JSON.parse(process.argv[2]);

// Nobody but the emulator is asked.
const { fetch } = globalThis;
globalThis.fetch = async (input, init) => {
  const { hostname } = new URL(input.url ?? input);
  if (hostname !== '127.0.0.1') throw new Error(`a client looked for ${hostname}`);
  return await fetch(input, init);
};

export async function print(cases, described) {
  let printed;
  try {
    printed = { value: await cases[asked.case]() };
  } catch (error) {
    printed = { error: described(error) };
  }
  process.stdout.write(JSON.stringify(printed));
}
