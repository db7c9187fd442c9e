export const HELP = `headgate: keys, usage and budgets of a Headgate gateway, by its admin API

  headgate keys create --name NAME [what it may do] [--json]   prints the key, alone on standard output
  headgate keys list [--group GROUP] [--json]
  headgate keys show KEY [--json]
  headgate keys update KEY [--name NAME] [what it may do] [--json]
  headgate keys disable KEY, headgate keys enable KEY
  headgate keys rotate KEY --overlap 1h                        prints the new key; 0: the old one ends at once
  headgate keys delete KEY
  headgate usage report [--from DAY] [--to DAY] [--group-by day|hour|key|group|user|model|tag|provider|credential_type]
                        [--key KEY] [--user USER] [--model MODEL] [--provider PROVIDER] [--json]
  headgate usage generation ID [--json]
  headgate budgets [--json]

KEY is an id or a name. What a key may do; what is not named has no bound, or stays as it is:
  --models 'anthropic/*,openai/gpt-4o'   models and patterns; all
  --group NAME                           shares that group's limits and budget; none
  --expires 2027-01-31                   also 2027-01-31T18:00:00Z, or 30d from now; never
  --rpm N --tpm N --rpd N --tpd N        requests and tokens a minute and a day; none
  --concurrency N                        requests at the same time; none
  --budget 100/month                     US dollars a day, week, month or in total; none
  --budget-mode hard|soft|shadow         refuses, warns, only records
  --queue 2s/100                         wait in turn so long, so many, instead of an instant 429; none

Environment:
  HEADGATE_ADMIN_URL     where the admin API is; default http://127.0.0.1:8081
  HEADGATE_ADMIN_TOKEN   its token
  Neither is needed beside a gateway that npm start runs from this checkout.

Exit codes: 0 done, 1 it could not be done, 2 the command is wrong.
`;
