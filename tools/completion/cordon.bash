# SPDX-License-Identifier: Apache-2.0
# Completion of cordon(1) for bash.

_cordon_sonames() {
    local ldconfig=ldconfig
    command -v ldconfig >/dev/null 2>&1 || ldconfig=/sbin/ldconfig
    "$ldconfig" -p 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# Value of the option before the cursor; false if it takes none.
_cordon_option_value() {
    local cur=$1 prev=$2
    case $prev in
    --level) COMPREPLY=($(compgen -W 'process thread inline' -- "$cur")) ;;
    --policy) COMPREPLY=($(compgen -W 'strict files network trusted' -- "$cur")) ;;
    --timeout) COMPREPLY=($(compgen -W '250ms 1s 3s 10s' -- "$cur")) ;;
    --without)
        local head=
        [[ $cur == *,* ]] && head=${cur%,*},
        COMPREPLY=($(compgen -P "$head" -W 'userns pidns landlock seccomp madv_guard' -- "${cur##*,}"))
        ;;
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
        --level | --policy | --timeout | --without | --interface | --keeper | --worker | --raw | --repeat)
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
        COMPREPLY=($(compgen -W 'call describe bench help --help --version' -- "$cur"))
        return
    fi
    case $command in
    call)
        _cordon_option_value "$cur" "$prev" && return
        if [[ $cur == --* ]]; then
            COMPREPLY=($(compgen -W '--level --policy --timeout --interface --raw --repeat --json
                --without --keeper --worker --help' -- "$cur"))
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
    bench)
        COMPREPLY=($(compgen -W "--json --quick --help
            $(cordon bench --names 2>/dev/null)" -- "$cur"))
        ;;
    help) COMPREPLY=($(compgen -W 'call describe bench help' -- "$cur")) ;;
    esac
}

complete -o filenames -F _cordon cordon
