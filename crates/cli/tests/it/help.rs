//! The reference of the command line.

use crate::sandbox::{Sandbox, with_filters};

#[test]
fn help() {
    let sandbox = Sandbox::new();
    let mut reference = String::new();
    for command in [
        "",
        "add",
        "update",
        "rollback",
        "sync",
        "remove",
        "list",
        "inspect",
        "grant",
        "revoke",
        "block",
        "limit",
        "policy",
        "policy show",
        "policy check",
        "policy explain",
        "policy lock",
        "call",
        "serve",
        "sign",
        "verify",
        "log",
        "client-config",
        "push",
        "login",
        "logout",
        "doctor",
        "completions",
        "demo",
    ] {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let run = sandbox.run(&arguments).exits(0);
        assert!(run.err.is_empty());
        reference.push_str(&format!(
            "$ casemate {}\n{}\n",
            arguments.join(" "),
            run.out
        ));
    }
    with_filters(|| {
        insta::assert_snapshot!(reference, @r#"
    $ casemate --help
    Run third-party tools for AI agents in a sandbox that reaches only what you granted

    Usage: casemate [OPTIONS] <COMMAND>

    Commands:
      add            Install a component: fetch it, show what it is, bind it to a name
      update         Take newer builds: show what changes, ask for what grew
      rollback       Go back to what a component was before, with what it was granted then
      sync           Install exactly what the lock says, from where it says
      remove         Remove a component; its policy is set aside
      list           List what is installed and what it may reach
      inspect        Show what a component is and could ask for, without running it
      report         Grade a component from A to F, with a reason for every point
      grant          Let a component read or write files, reach a host or see a variable
      revoke         Take back what was granted
      block          Write a rule that denies, whatever else allows it
      limit          Set limits of memory, time, files, network and the number of calls
      policy         Show, check and explain policies
      call           Call a tool once, the way an MCP client would
      serve          Serve the installed tools over MCP, on standard input and output or over HTTP
      sign           Sign what a registry has, with a key; or make a key
      verify         Tell whose signatures of a component hold, and what trust.yaml makes of them
      log            Show what was called, refused and used
      client-config  Print the configuration that makes an MCP client start Casemate
      push           Push a component to a registry, with what belongs to it, and sign it
      login          Log in to a registry
      logout         Forget the login for a registry
      doctor         Check the installation
      completions    Print completions for a shell
      demo           See it work: install, call, be denied, grant, call again, in a throw-away home
      help           Print this message or the help of the given subcommand(s)

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
      -v, --verbose...  Log more to standard error; twice for everything
      -h, --help        Print help
      -V, --version     Print version

    Exit status: 0 done, 1 failed, 2 usage or configuration, 3 denied by policy or verification.

    $ casemate add --help
    Install a component: fetch it, show what it is, bind it to a name

    Usage: casemate add [OPTIONS] <REFERENCE>

    Arguments:
      <REFERENCE>  Path of a component, or a URL: oci://REGISTRY/REPOSITORY[:TAG][@DIGEST],
                   https://…#DIGEST, file://…

    Options:
          --home <DIR>            Keep configuration and data in DIR [default: $CASEMATE_HOME, else the
                                  XDG directories]
          --name <NAME>           Its name here, and the beginning of its tools' names [default: after
                                  the file or repository]
          --policy <FILE>         Give it this policy, once confirmed
      -v, --verbose...            Log more to standard error; twice for everything
          --grant-requested       Grant all that it asks for, once confirmed
          --wit <PATH>            WIT text of the author, a file or a directory, for descriptions
          --yes                   Ask nothing; grants nothing either
          --insecure-skip-verify  Take it though its signature is not what trust.yaml asks for; the lock
                                  and the audit trail say so
          --allow-signer-change   Take it though somebody else signed it than what it replaces, or
                                  nobody
          --allow-downgrade       Take it though it is older than what it replaces
          --plain-http            Speak plain http to a registry on this machine, such as 127.0.0.1:5000
          --trust-root <FILE>     Believe the Sigstore trust root in FILE instead of the one that is
                                  built in [default: trust.root of the configuration]
          --json                  Print JSON
      -h, --help                  Print help

    $ casemate update --help
    Take newer builds: show what changes, ask for what grew

    Usage: casemate update [OPTIONS] [NAMES]...

    Arguments:
      [NAMES]...  The components [default: all]

    Options:
          --check                 Change nothing; exit with 1 and the difference if anything would
                                  change
          --home <DIR>            Keep configuration and data in DIR [default: $CASEMATE_HOME, else the
                                  XDG directories]
      -v, --verbose...            Log more to standard error; twice for everything
          --yes                   Ask nothing; takes only what changes neither tools nor reach nor
                                  requests nor signer
          --insecure-skip-verify  Take it though its signature is not what trust.yaml asks for; the lock
                                  and the audit trail say so
          --allow-signer-change   Take it though somebody else signed it than what it replaces, or
                                  nobody
          --allow-downgrade       Take it though it is older than what it replaces
          --plain-http            Speak plain http to a registry on this machine, such as 127.0.0.1:5000
          --trust-root <FILE>     Believe the Sigstore trust root in FILE instead of the one that is
                                  built in [default: trust.root of the configuration]
          --json                  Print JSON
      -h, --help                  Print help

    $ casemate rollback --help
    Go back to what a component was before, with what it was granted then

    Usage: casemate rollback [OPTIONS] <NAME>

    Arguments:
      <NAME>  The component

    Options:
          --home <DIR>         Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                               directories]
          --yes                Ask nothing; returns no permission either
          --plain-http         Speak plain http to a registry on this machine, such as 127.0.0.1:5000
      -v, --verbose...         Log more to standard error; twice for everything
          --trust-root <FILE>  Believe the Sigstore trust root in FILE instead of the one that is built
                               in [default: trust.root of the configuration]
          --json               Print JSON
      -h, --help               Print help

    $ casemate sync --help
    Install exactly what the lock says, from where it says

    Usage: casemate sync [OPTIONS]

    Options:
          --check              Change nothing; exit with 1 if anything is missing
          --home <DIR>         Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                               directories]
          --plain-http         Speak plain http to a registry on this machine, such as 127.0.0.1:5000
      -v, --verbose...         Log more to standard error; twice for everything
          --trust-root <FILE>  Believe the Sigstore trust root in FILE instead of the one that is built
                               in [default: trust.root of the configuration]
          --json               Print JSON
      -h, --help               Print help

    $ casemate remove --help
    Remove a component; its policy is set aside

    Usage: casemate remove [OPTIONS] <NAME>

    Arguments:
      <NAME>  The component

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
          --json        Print JSON
      -v, --verbose...  Log more to standard error; twice for everything
      -h, --help        Print help

    $ casemate list --help
    List what is installed and what it may reach

    Usage: casemate list [OPTIONS]

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
          --tools       Show the tools of each component too
          --json        Print JSON
      -v, --verbose...  Log more to standard error; twice for everything
      -h, --help        Print help

    $ casemate inspect --help
    Show what a component is and could ask for, without running it

    Usage: casemate inspect [OPTIONS] <COMPONENT>

    Arguments:
      <COMPONENT>  An installed component, the path of a file, or a URL (oci://, https://, file://)

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
          --wit <PATH>  WIT text of the author, a file or a directory, for descriptions
          --plain-http  Speak plain http to a registry on this machine, such as 127.0.0.1:5000
      -v, --verbose...  Log more to standard error; twice for everything
          --json        Print JSON
      -h, --help        Print help

    $ casemate grant --help
    Let a component read or write files, reach a host or see a variable

    Usage: casemate grant [OPTIONS] <NAME> <KIND> <TARGET>

    Arguments:
      <NAME>
              The component

      <KIND>
              What kind of permission

              Possible values:
              - read:    Read a file, or all files below a directory
              - write:   Write a file, or all files below a directory
              - symlink: Make symbolic links below a directory that it may write
              - network: Send requests to a host, or connect to a port of it
              - env:     See an environment variable

      <TARGET>
              A path or storage URI; HOST[:PORT], http://HOST[:PORT] or tcp://HOST:PORT; or the key of a
              variable

    Options:
          --home <DIR>
              Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG directories]

          --json
              Print JSON

          --allow-dangerous-root
              Grant / or the home directory or Casemate's own if asked to

      -v, --verbose...
              Log more to standard error; twice for everything

          --yes
              Ask nothing; grants nothing either

      -h, --help
              Print help (see a summary with '-h')

    $ casemate revoke --help
    Take back what was granted

    Usage: casemate revoke [OPTIONS] <NAME> <KIND> <TARGET>

    Arguments:
      <NAME>
              The component

      <KIND>
              What kind of permission

              Possible values:
              - read:    Read a file, or all files below a directory
              - write:   Write a file, or all files below a directory
              - symlink: Make symbolic links below a directory that it may write
              - network: Send requests to a host, or connect to a port of it
              - env:     See an environment variable

      <TARGET>
              A path or storage URI; HOST[:PORT], http://HOST[:PORT] or tcp://HOST:PORT; or the key of a
              variable

    Options:
          --home <DIR>
              Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG directories]

          --json
              Print JSON

      -v, --verbose...
              Log more to standard error; twice for everything

      -h, --help
              Print help (see a summary with '-h')

    $ casemate block --help
    Write a rule that denies, whatever else allows it

    Usage: casemate block [OPTIONS] <NAME> <KIND> <TARGET>

    Arguments:
      <NAME>
              The component

      <KIND>
              What kind of permission

              Possible values:
              - read:    Read a file, or all files below a directory
              - write:   Write a file, or all files below a directory
              - symlink: Make symbolic links below a directory that it may write
              - network: Send requests to a host, or connect to a port of it
              - env:     See an environment variable

      <TARGET>
              A path or storage URI; HOST[:PORT], http://HOST[:PORT] or tcp://HOST:PORT; or the key of a
              variable

    Options:
          --home <DIR>
              Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG directories]

          --json
              Print JSON

      -v, --verbose...
              Log more to standard error; twice for everything

      -h, --help
              Print help (see a summary with '-h')

    $ casemate limit --help
    Set limits of memory, time, files, network and the number of calls

    Usage: casemate limit [OPTIONS] <NAME> <KEY=VALUE>...

    Arguments:
      <NAME>          The component
      <KEY=VALUE>...  Limits of a call: memory=512Mi cpu-time=10s cpu=500m time=60s output=1Mi; files:
                      written=256Mi files=1000 open-files=128; network: requests=8 sockets=16 sent=8Mi
                      received=16Mi; of all calls together: concurrency=16 rate=600/m

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
          --yes         Ask nothing; raises nothing either
          --json        Print JSON
      -v, --verbose...  Log more to standard error; twice for everything
      -h, --help        Print help

    $ casemate policy --help
    Show, check and explain policies

    Usage: casemate policy [OPTIONS] <COMMAND>

    Commands:
      show     Show what a component may do: rules, folders, limits, warnings
      check    Check that a policy loads and can be enforced
      explain  Say whether something is allowed, by which rule, and what would change it
      lock     Note in the lock that policies are as they should be, for `serve --frozen`
      help     Print this message or the help of the given subcommand(s)

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
      -v, --verbose...  Log more to standard error; twice for everything
      -h, --help        Print help

    $ casemate policy show --help
    Show what a component may do: rules, folders, limits, warnings

    Usage: casemate policy show [OPTIONS] <NAME>

    Arguments:
      <NAME>  The component

    Options:
          --home <DIR>            Keep configuration and data in DIR [default: $CASEMATE_HOME, else the
                                  XDG directories]
          --workspace <DIR>       Bind the root `workspace` to DIR: fs://workspace/… in policies,
                                  /workspace for tools
          --root <NAME=DIR>       Bind the root NAME to DIR; may be repeated
      -v, --verbose...            Log more to standard error; twice for everything
          --ceiling <FILE>        Allow nothing that FILE, a policy, does not allow [default:
                                  /etc/casemate/ceiling.yaml]
          --allow-dangerous-root  Bind / or the home directory or Casemate's own if asked to; the audit
                                  trail says so
          --json                  Print JSON
      -h, --help                  Print help

    $ casemate policy check --help
    Check that a policy loads and can be enforced

    Usage: casemate policy check [OPTIONS] <NAME|FILE>

    Arguments:
      <NAME|FILE>  An installed component, or the path of a policy

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
          --json        Print JSON
      -v, --verbose...  Log more to standard error; twice for everything
      -h, --help        Print help

    $ casemate policy explain --help
    Say whether something is allowed, by which rule, and what would change it

    Usage: casemate policy explain [OPTIONS] <NAME> <COMMAND>

    Commands:
      storage  May it use a file or folder?
      network  May it send a request?
      tcp      May it open a TCP connection?
      dns      May it look a name up?
      socket   May it take this step with a socket?
      env      May it see an environment variable?
      clock    May it tell the time?
      random   May it draw random numbers?
      help     Print this message or the help of the given subcommand(s)

    Arguments:
      <NAME>  The component

    Options:
          --home <DIR>            Keep configuration and data in DIR [default: $CASEMATE_HOME, else the
                                  XDG directories]
      -v, --verbose...            Log more to standard error; twice for everything
          --tool <TOOL>           Ask for one tool, as it is narrowed under `tools` in the policy: its
                                  name, or the author's
          --workspace <DIR>       Bind the root `workspace` to DIR: fs://workspace/… in policies,
                                  /workspace for tools
          --root <NAME=DIR>       Bind the root NAME to DIR; may be repeated
          --ceiling <FILE>        Allow nothing that FILE, a policy, does not allow [default:
                                  /etc/casemate/ceiling.yaml]
          --allow-dangerous-root  Bind / or the home directory or Casemate's own if asked to; the audit
                                  trail says so
          --json                  Print JSON
      -h, --help                  Print help

    $ casemate policy lock --help
    Note in the lock that policies are as they should be, for `serve --frozen`

    Usage: casemate policy lock [OPTIONS] [NAMES]...

    Arguments:
      [NAMES]...  The components [default: all]

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
          --json        Print JSON
      -v, --verbose...  Log more to standard error; twice for everything
      -h, --help        Print help

    $ casemate call --help
    Call a tool once, the way an MCP client would

    Usage: casemate call [OPTIONS] <TOOL> [JSON]

    Arguments:
      <TOOL>  The tool, as `list --tools` names it
      [JSON]  Its arguments, a JSON object; `-` reads them from standard input [default: {}]

    Options:
          --home <DIR>            Keep configuration and data in DIR [default: $CASEMATE_HOME, else the
                                  XDG directories]
          --workspace <DIR>       Bind the root `workspace` to DIR: fs://workspace/… in policies,
                                  /workspace for tools
          --root <NAME=DIR>       Bind the root NAME to DIR; may be repeated
      -v, --verbose...            Log more to standard error; twice for everything
          --ceiling <FILE>        Allow nothing that FILE, a policy, does not allow [default:
                                  /etc/casemate/ceiling.yaml]
          --allow-dangerous-root  Bind / or the home directory or Casemate's own if asked to; the audit
                                  trail says so
          --json                  Print JSON
      -h, --help                  Print help

    $ casemate serve --help
    Serve the installed tools over MCP, on standard input and output or over HTTP

    Usage: casemate serve [OPTIONS]

    Options:
          --home <DIR>            Keep configuration and data in DIR [default: $CASEMATE_HOME, else the
                                  XDG directories]
          --http <ADDR>           Serve at http://ADDR/mcp, such as 127.0.0.1:8080, [::1]:0 or a port;
                                  only this machine reaches it
          --only <NAME>...        Serve only the tools of these components
      -v, --verbose...            Log more to standard error; twice for everything
          --tools <GLOB>          Serve only tools whose name matches GLOB, such as 'notes_*'; may be
                                  repeated
          --frozen                Start only if everything is exactly as casemate.lock says, and take no
                                  change over while running
          --workspace <DIR>       Bind the root `workspace` to DIR: fs://workspace/… in policies,
                                  /workspace for tools
          --root <NAME=DIR>       Bind the root NAME to DIR; may be repeated
          --ceiling <FILE>        Allow nothing that FILE, a policy, does not allow [default:
                                  /etc/casemate/ceiling.yaml]
          --allow-dangerous-root  Bind / or the home directory or Casemate's own if asked to; the audit
                                  trail says so
      -h, --help                  Print help

    Ends with exit status 0 when the client leaves, and within 3 seconds of SIGTERM, SIGINT or SIGHUP,
    whatever tools are doing: calls in progress are stopped, answered and recorded.

    $ casemate sign --help
    Sign what a registry has, with a key; or make a key

    Usage: casemate sign [OPTIONS] [REFERENCE]

    Arguments:
      [REFERENCE]
              What to sign: oci://registry/repository with a tag or digest

    Options:
          --home <DIR>
              Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG directories]

          --key <FILE>
              The private key, in PEM; its password is asked for, or in CASEMATE_KEY_PASSWORD or
              COSIGN_PASSWORD

          --format <FORM>
              The forms to attach

              Possible values:
              - bundle: A Sigstore bundle that refers to the manifest, as cosign 3 makes it
              - legacy: The tag sha256-….sig, as cosign made it before
              
              [default: bundle,legacy]

      -v, --verbose...
              Log more to standard error; twice for everything

      -a, --annotation <NAME=TEXT>
              Sign NAME=TEXT with it; may be repeated

          --generate-key <PREFIX>
              Make a key: PREFIX.key and PREFIX.pub, neither of which may be there

          --plain-http
              Speak plain http to a registry on this machine, such as 127.0.0.1:5000

          --json
              Print JSON

      -h, --help
              Print help (see a summary with '-h')

    $ casemate verify --help
    Tell whose signatures of a component hold, and what trust.yaml makes of them

    Usage: casemate verify [OPTIONS] <COMPONENT>

    Arguments:
      <COMPONENT>  An installed component, whose signatures were kept, or a URL (oci://, https://)

    Options:
          --home <DIR>         Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                               directories]
          --key <FILE>         Ask for a signature of this public key, in PEM, in place of trust.yaml
          --identity <NAME>    Ask for a keyless signature of this URI or e-mail address, in place of
                               trust.yaml; * and ** as there
      -v, --verbose...         Log more to standard error; twice for everything
          --issuer <URL>       The issuer that vouches for the identity
          --trust-root <FILE>  Verify keyless signatures against FILE, a trusted_root.json [default:
                               trust.root of the configuration, else the public Sigstore's, as Casemate
                               was built]
          --plain-http         Speak plain http to a registry on this machine, such as 127.0.0.1:5000
          --json               Print JSON
      -h, --help               Print help

    $ casemate log --help
    Show what was called, refused and used

    Usage: casemate log [OPTIONS]

    Options:
          --follow         Go on as calls end
          --home <DIR>     Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                           directories]
          --denied         Only calls that met a refusal
      -v, --verbose...     Log more to standard error; twice for everything
          --tool <TOOL>    Only this tool
          --since <SINCE>  Only calls of the last while, such as 90s, 15m, 1h, 7d
          --json           Print the records as they are, one JSON object a line
      -h, --help           Print help

    $ casemate client-config --help
    Print the configuration that makes an MCP client start Casemate

    Usage: casemate client-config [OPTIONS] <CLIENT>

    Arguments:
      <CLIENT>  The client [possible values: claude-code, vscode, cursor, codex]

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
          --http <URL>  Connect to a server that runs already, as `serve --http` names it, instead of
                        starting one
          --json        Print JSON
      -v, --verbose...  Log more to standard error; twice for everything
      -h, --help        Print help

    $ casemate push --help
    Push a component to a registry, with what belongs to it, and sign it

    Usage: casemate push [OPTIONS] <REFERENCE> <FILE>

    Arguments:
      <REFERENCE>  Where to: oci://REGISTRY/REPOSITORY[:TAG] [default tag: latest]
      <FILE>       The component's file

    Options:
          --home <DIR>              Keep configuration and data in DIR [default: $CASEMATE_HOME, else
                                    the XDG directories]
          --policy <FILE>           Send along this policy: what the component asks for; whoever adds it
                                    decides
      -v, --verbose...              Log more to standard error; twice for everything
          --wit <PATH>              Send along this WIT text, a file or a directory: descriptions of the
                                    tools
          --version <VERSION>       The version, such as 1.2.0
          --description <TEXT>      What it is, in a sentence [default: the first of its WIT text]
          --source <URL>            Where its source code is
          --licenses <SPDX>         Its licences, as an SPDX expression
          --annotation <KEY=VALUE>  An annotation of the manifest; may be repeated
          --sign <FILE>             Sign it with this private key, as casemate sign does
          --plain-http              Speak plain http to a registry on this machine, such as
                                    127.0.0.1:5000
          --json                    Print JSON
      -h, --help                    Print help

    $ casemate login --help
    Log in to a registry

    Usage: casemate login [OPTIONS] <REGISTRY>

    Arguments:
      <REGISTRY>  The registry: ghcr.io, docker.io, 127.0.0.1:5000

    Options:
          --home <DIR>           Keep configuration and data in DIR [default: $CASEMATE_HOME, else the
                                 XDG directories]
      -u, --username <USERNAME>  The user [default: asked for on the terminal]
          --password-stdin       Read the password from standard input
      -v, --verbose...           Log more to standard error; twice for everything
          --plain-http           Speak plain http to a registry on this machine, such as 127.0.0.1:5000
          --json                 Print JSON
      -h, --help                 Print help

    $ casemate logout --help
    Forget the login for a registry

    Usage: casemate logout [OPTIONS] <REGISTRY>

    Arguments:
      <REGISTRY>  The registry

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
          --json        Print JSON
      -v, --verbose...  Log more to standard error; twice for everything
      -h, --help        Print help

    $ casemate doctor --help
    Check the installation

    Usage: casemate doctor [OPTIONS]

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
          --json        Print JSON
      -v, --verbose...  Log more to standard error; twice for everything
      -h, --help        Print help

    $ casemate completions --help
    Print completions for a shell

    Usage: casemate completions [OPTIONS] <SHELL>

    Arguments:
      <SHELL>  The shell [possible values: bash, elvish, fish, powershell, zsh]

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
      -v, --verbose...  Log more to standard error; twice for everything
      -h, --help        Print help

    $ casemate demo --help
    See it work: install, call, be denied, grant, call again, in a throw-away home

    Usage: casemate demo [OPTIONS]

    Options:
          --home <DIR>  Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG
                        directories]
      -v, --verbose...  Log more to standard error; twice for everything
      -h, --help        Print help
    "#)
    });
}

#[test]
fn the_commands_are_those_of_this_release() {
    let sandbox = Sandbox::new();
    for command in [
        "requests", "approve", "secret", "selftest", "learn", "new", "build",
    ] {
        sandbox.run(&[command]).exits(2);
    }
}
