/**
 * What a shell has to be told so that it asks `octaskly __complete` what a line may go on with. Nothing about commands and
 * options is in these scripts: the program they ask knows its own, whichever version it is.
 */

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** Bash 3.2 and later. Bash splits words at "=" and ":"; they are put together again, and answers cut to what it expects. */
const bash = `# bash completion of octaskly
_octaskly() {
  local rest=$COMP_LINE words=() word trimmed last line cut
  local i
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    trimmed=\${rest#"\${rest%%[![:space:]]*}"}
    if ((i > 0)) && [[ $trimmed == "$rest" ]]; then
      words[\${#words[@]}-1]+=$word
    else
      words+=("$word")
    fi
    rest=\${trimmed#"$word"}
  done
  last=\${words[\${#words[@]}-1]}
  cut=
  [[ $last == *[:=]* && $COMP_WORDBREAKS == *[:=]* ]] && cut=\${last%"\${last##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :file | :directory)
        compopt -o filenames 2>/dev/null
        [[ $line == :file ]] && i=-f || i=-d
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$i" -- "\${last##*=}")
        return
        ;;
    esac
    line=\${line%%$'\\t'*}
    COMPREPLY+=("\${line#"$cut"}")
  done < <("\${words[0]/#\\~/$HOME}" __complete -- "\${words[@]:1}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *[:=] ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _octaskly octaskly
`;

const zsh = `#compdef octaskly
# zsh completion of octaskly
_octaskly() {
  local line word about
  local -a answers whole open
  answers=("\${(@f)$("\${(Q)words[1]/#\\~/$HOME}" __complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  for line in $answers; do
    case $line in
      :file | :directory)
        compset -P '--*='
        [[ $line == :file ]] && _files || _files -/
        return
        ;;
    esac
    word=\${line%%$'\\t'*} about=
    [[ $line == *$'\\t'* ]] && about=:\${line#*$'\\t'}
    if [[ $word == *[:=] ]]; then open+=("\${word//:/\\\\:}$about"); else whole+=("\${word//:/\\\\:}$about"); fi
  done
  (( $#open )) && _describe -t prefixes 'octaskly' open -S ''
  (( $#whole )) && _describe -t values 'octaskly' whole
}
if [[ $funcstack[1] == _octaskly ]]; then _octaskly "$@"; else compdef _octaskly octaskly; fi
`;

const fish = `# fish completion of octaskly
function __octaskly_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    for line in ($before[1] __complete -- $before[2..-1] $current 2>/dev/null)
        switch $line
            case ':file' ':directory'
                set -l prefix (string match -r -- '^--[^=]*=' $current)
                set -l path (string replace -r -- '^--[^=]*=' '' $current)
                set -l found (__fish_complete_path $path)
                test $line = ':directory'; and set found (__fish_complete_directories $path)
                for one in $found
                    echo "$prefix$one"
                end
            case '*'
                echo $line
        end
    end
end
complete -c octaskly -f -a '(__octaskly_complete)'
`;

/** The script for one shell, to be read by it when it starts. */
export const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
