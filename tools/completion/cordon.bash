# SPDX-License-Identifier: Apache-2.0
# Completion of cordon(1) for bash.

_cordon_sonames() {
    local ldconfig=ldconfig
    command -v ldconfig >/dev/null 2>&1 || ldconfig=/sbin/ldconfig
    "$ldconfig" -p 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_cordon_mechanisms='userns pidns landlock seccomp no_new_privs limits madv_guard ordinary_user
    seccomp_notify ptrace'
_cordon_promises='survives-crash survives-exit survives-overflow returns-at-deadline ends-loops
    separate-memory separate-signals heals no-processes no-network no-writes no-orphans unprivileged
    lists-violations limits-memory hang-stacks confines-reads no-signals only-granted-ports'

# Options of a command, as its help lists them.
_cordon_options() {
    cordon "$1" --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p'
}

# Ids of this user's reports, newest last.
_cordon_reports() {
    echo last
    cordon report --json 2>/dev/null | sed -n 's/.*"id":"\([^"]*\)".*/\1/p' | tail -n 50
}

# The option --socket, as it stands before the cursor, for asking the same daemon.
_cordon_socket() {
    local i
    for ((i = 2; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == --socket ]] && printf -- '--socket\n%s\n' "${COMP_WORDS[i + 1]}"
    done
}

# Methods, or cells, of the daemon; nothing where there is none.
_cordon_methods() {
    local socket
    mapfile -t socket < <(_cordon_socket)
    cordon client "${socket[@]}" 2>/dev/null | sed -n 's/^  \([^(]*\)(.*/\1/p'
}
_cordon_cells() {
    local socket
    mapfile -t socket < <(_cordon_socket)
    cordon cells "${socket[@]}" 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# Value of the option before the cursor; false if it takes none.
_cordon_option_value() {
    local cur=$1 prev=$2
    case $prev in
    --level) COMPREPLY=($(compgen -W 'process thread inline' -- "$cur")) ;;
    --policy) COMPREPLY=($(compgen -W 'strict files network trusted' -- "$cur")) ;;
    --grant)
        COMPREPLY=($(compgen -W 'read: write: device: connect: bind: udp unix env: syscall: iconv resolver locale providers threads:
            processes sockets' -- "$cur"))
        ;;
    --on-violation) COMPREPLY=($(compgen -W 'refuse kill' -- "$cur")) ;;
    --timeout) COMPREPLY=($(compgen -W '250ms 1s 3s 10s' -- "$cur")) ;;
    --without | --require)
        local head= names=$_cordon_mechanisms
        [[ $cur == *,* ]] && head=${cur%,*},
        [[ $prev == --require ]] && names+=" $_cordon_promises"
        COMPREPLY=($(compgen -P "$head" -W "$names" -- "${cur##*,}"))
        ;;
    --reports) COMPREPLY=($(compgen -d -- "$cur")) ;;
    --interface | --keeper | --worker) COMPREPLY=($(compgen -f -- "$cur")) ;;
    --raw | --repeat) COMPREPLY=() ;;
    *) return 1 ;;
    esac
}

# Number of the operand at the cursor, after the command.
_cordon_operand() {
    local i count=0
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --level | --policy | --grant | --on-violation | --timeout | --without | --require | --reports | --interface | --keeper | --worker | --raw | --repeat)
            ((i++))
            ;;
        --*) ;;
        *) ((count++)) ;;
        esac
    done
    echo "$count"
}

_cordon() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W 'call describe report replay doctor serve check reload client cells stats top generate bench help --help --version' -- "$cur"))
        return
    fi
    case $command in
    call)
        _cordon_option_value "$cur" "$prev" && return
        if [[ $cur == --* ]]; then
            COMPREPLY=($(compgen -W '--level --policy --grant --on-violation --timeout --interface --raw --repeat --json
                --require --without --reports --keeper --worker --help' -- "$cur"))
        elif (($(_cordon_operand) == 0)); then
            if [[ $cur == */* ]]; then
                COMPREPLY=($(compgen -f -- "$cur"))
            else
                COMPREPLY=($(compgen -W "$(_cordon_sonames)" -- "$cur"))
            fi
        elif [[ $cur == @* ]]; then
            COMPREPLY=($(compgen -P @ -f -- "${cur#@}"))
        fi
        ;;
    describe)
        if [[ $cur == --* ]]; then
            COMPREPLY=($(compgen -W '--json --help' -- "$cur"))
        else
            COMPREPLY=($(compgen -f -- "$cur"))
        fi
        ;;
    report | replay)
        if [[ $prev == --directory ]]; then
            COMPREPLY=($(compgen -d -- "$cur"))
        elif [[ $cur == --* ]]; then
            COMPREPLY=($(compgen -W "$(_cordon_options "$command")" -- "$cur"))
        else
            COMPREPLY=($(compgen -W "$(_cordon_reports)" -- "$cur") $(compgen -f -- "$cur"))
        fi
        ;;
    doctor)
        if [[ $prev == --keeper ]]; then
            COMPREPLY=($(compgen -f -- "$cur"))
        else
            COMPREPLY=($(compgen -W '--json --user --keeper --help' -- "$cur"))
        fi
        ;;
    generate)
        if [[ "$cur" == --* ]]; then
            COMPREPLY=($(compgen -W "$(_cordon_options generate)" -- "$cur"))
        elif ((COMP_CWORD == 2)); then
            COMPREPLY=($(compgen -W 'go python' -- "$cur"))
        else
            COMPREPLY=($(compgen -f -- "$cur"))
        fi
        ;;
    check)
        if [[ $cur == --* ]]; then
            COMPREPLY=($(compgen -W "$(_cordon_options check)" -- "$cur"))
        else
            COMPREPLY=($(compgen -f -- "$cur"))
        fi
        ;;
    serve)
        case $prev in
        --config | --interface | --socket) COMPREPLY=($(compgen -f -- "$cur")) ;;
        --log-level) COMPREPLY=($(compgen -W 'error warning notice debug' -- "$cur")) ;;
        --log-format) COMPREPLY=($(compgen -W 'text json auto' -- "$cur")) ;;
        --http) COMPREPLY=($(compgen -W '127.0.0.1:9464 unix:' -- "$cur")) ;;
        *) COMPREPLY=($(compgen -W "$(_cordon_options serve)" -- "$cur")) ;;
        esac
        ;;
    client | cells | stats | top | reload)
        case $prev in
        --socket | --batch) COMPREPLY=($(compgen -f -- "$cur")) ;;
        --deadline | --wait) COMPREPLY=($(compgen -W '250ms 1s 3s 10s' -- "$cur")) ;;
        --watch | --interval) COMPREPLY=($(compgen -W '0.5 1 2 5' -- "$cur")) ;;
        --json) [[ $command != client ]] && COMPREPLY=($(compgen -W "$(_cordon_options "$command")" -- "$cur")) ;;
        --output) COMPREPLY=() ;;
        *)
            if [[ $cur == --* ]]; then
                COMPREPLY=($(compgen -W "$(_cordon_options "$command")" -- "$cur"))
            elif [[ $command == client && $cur == *@* ]]; then
                COMPREPLY=($(compgen -P "${cur%%@*}@" -f -- "${cur#*@}"))
            elif [[ $command == client ]]; then
                COMPREPLY=($(compgen -W "$(_cordon_methods)" -- "$cur"))
            elif [[ $command == stats ]]; then
                COMPREPLY=($(compgen -W "$(_cordon_cells)" -- "$cur"))
            fi
            ;;
        esac
        ;;
    bench)
        COMPREPLY=($(compgen -W "--json --quick --help
            $(cordon bench --names 2>/dev/null)" -- "$cur"))
        ;;
    help) COMPREPLY=($(compgen -W 'call describe report replay doctor serve check reload client cells stats top generate bench help' -- "$cur")) ;;
    esac
}

complete -o filenames -F _cordon cordon
