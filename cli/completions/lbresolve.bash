# Written by cli/completions/generate.py of lbresolve; change that.

_lbresolve() {
  local word=$2 before=$3 command=resolve values="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in resolve | connect | explain | probe | health) command=${COMP_WORDS[i]}; break ;; esac
  done
  # bash makes three words of --option=value.
  if [[ $word == = ]]; then word=""
  elif [[ $before == = ]] && ((COMP_CWORD > 1)); then before=${COMP_WORDS[COMP_CWORD - 2]}; fi
  case $before in
    --server) return ;;
    --choice) values="fastest ordered race" ;;
    --domain-server) return ;;
    --bootstrap) return ;;
    --resolv-conf) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    --hosts) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    --timeout) return ;;
    --subnet) return ;;
    --private-ok) return ;;
    --nat64) return ;;
    --policy) values="balanced fastest round_robin random hash in_order" ;;
    --mode) values="hybrid client server" ;;
    --key) return ;;
    --attempt-delay) return ;;
    --source) return ;;
    --interface) values=$(command ls /sys/class/net 2>/dev/null) ;;
    --alpn) return ;;
    --tls-name) return ;;
    --ca-file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    --pin) return ;;
    --state) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    --count) return ;;
    --parallel) return ;;
    --interval) return ;;
    --format) values="table short json" ;;
    --color) values="auto always never" ;;
    *)
      if [[ $word != -* ]]; then
        ((COMP_CWORD == 1)) && values="resolve connect explain probe health"
      else
        case $command in
          resolve) values="--server --choice --domain-server --bootstrap --resolv-conf --hosts -4 -6 --timeout --no-cache --stale --no-search --subnet --trust-ad --no-private --private-ok --nat64 --policy --mode --learn-weights --key --ca-file --state --no-state --no-probes --count --parallel --interval --format --trace --color -h --help -V --version" ;;
          connect) values="--server --choice --domain-server --bootstrap --resolv-conf --hosts -4 -6 --timeout --no-cache --stale --no-search --subnet --trust-ad --no-private --private-ok --nat64 --policy --mode --learn-weights --key --attempt-delay --https --no-https --source --interface --tls --alpn --tls-name --ca-file --pin --no-verify --state --no-state --no-probes --count --parallel --interval --format --trace --color -h --help -V --version" ;;
          explain) values="--server --choice --domain-server --bootstrap --resolv-conf --hosts -4 -6 --timeout --no-cache --stale --no-search --subnet --trust-ad --no-private --private-ok --nat64 --policy --mode --learn-weights --key --https --no-https --source --interface --ca-file --state --no-state --no-probes --count --interval --format --trace --color -h --help -V --version" ;;
          probe) values="--server --choice --domain-server --bootstrap --resolv-conf --hosts -4 -6 --timeout --no-cache --stale --no-search --subnet --trust-ad --no-private --private-ok --nat64 --policy --mode --learn-weights --key --https --no-https --source --interface --ca-file --state --no-state --no-probes --count --parallel --interval --watch --format --trace --color -h --help -V --version" ;;
          health) values="--server --choice --domain-server --bootstrap --resolv-conf --hosts -4 -6 --timeout --no-cache --stale --no-search --subnet --trust-ad --no-private --private-ok --nat64 --policy --mode --learn-weights --key --ca-file --state --no-state --no-probes --clear --format --trace --color -h --help -V --version" ;;
        esac
      fi
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
}
complete -F _lbresolve lbresolve
