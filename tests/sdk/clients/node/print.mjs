// Asks one question of a client and prints what came of it: {"value": …} or {"error": {"name", "status"}}.

export const asked = JSON.parse(process.argv[2]);

export async function print(cases, described) {
  let printed;
  try {
    printed = { value: await cases[asked.case]() };
  } catch (error) {
    printed = { error: described(error) };
  }
  process.stdout.write(JSON.stringify(printed));
}
