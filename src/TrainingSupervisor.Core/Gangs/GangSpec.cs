using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>The description of a gang. Made by <see cref="GangBuilder.Build"/>, validated, and never changed after that.</summary>
public sealed record GangSpec
{
    internal GangSpec()
    {
    }

    /// <summary>The gang's name, a DNS label of at most 40 characters; Pod names begin with it.</summary>
    public required string Name { get; init; }

    /// <summary>The Kubernetes namespace that the gang lives in.</summary>
    public required string Namespace { get; init; }

    /// <summary>The roles, in the order in which ranks are given.</summary>
    public required ImmutableArray<RoleSpec> Roles { get; init; }

    /// <summary>What to do about failures.</summary>
    public required RecoveryPolicy Policy { get; init; }

    /// <summary>The port of rank 0 that workers are told as <c>MASTER_PORT</c>.</summary>
    public int MasterPort { get; init; } = 29500;

    /// <summary>How long the gang waits for the same event seen elsewhere before it decides.</summary>
    public TimeSpan GatherWindow { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How long the first start may take until every worker is at the barrier.</summary>
    public TimeSpan StartDeadline { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How long a recovery may take until every worker is at the barrier, for each step of the fallback order.</summary>
    public TimeSpan BarrierDeadline { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>After how long without a step anywhere the gang hangs, whatever its steps teach; null to learn.</summary>
    public TimeSpan? HangTimeout { get; init; }

    /// <summary>How hangs are told from long steps by what the steps teach; null switches that off.</summary>
    public HangDetection? HangDetection { get; init; } = new();

    /// <summary>The command that agents run for evidence before a hang is reported; empty for none.</summary>
    public ImmutableArray<string> HangDiagnostics { get; init; } = [];

    /// <summary>How long <see cref="HangDiagnostics"/> may take.</summary>
    public TimeSpan HangDiagnosticsTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Labels of nodes that fail together.</summary>
    public ImmutableArray<string> FailureDomains { get; init; } = [];

    /// <summary>Exit codes by which workers say that a peer is to blame.</summary>
    public ImmutableArray<int> ConsequenceExitCodes { get; init; } = [];

    /// <summary>How stragglers are found; null switches that off.</summary>
    public StragglerDetection? StragglerDetection { get; init; } = new();

    /// <summary>How long a cut-off agent waits before it ends its worker, and how long a replacement waits for that; zero for no fencing.</summary>
    public TimeSpan Fence { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often agents say that they are alive.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long workers may take to end on SIGTERM before SIGKILL when the gang restarts them; zero is SIGKILL at once.</summary>
    public TimeSpan WorkerGrace { get; init; }

    /// <summary>How long surviving workers get to save before a planned restart; zero for no quiesce.</summary>
    public TimeSpan QuiesceDeadline { get; init; }

    /// <summary>The signal that asks a worker to save; 10 is SIGUSR1 on Linux.</summary>
    public int QuiesceSignal { get; init; } = 10;

    /// <summary>How long a Pod may take to come back from a restart in place before the worker gets another Pod.</summary>
    public TimeSpan RestartDeadline { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long new Pods avoid a node that has failed, the first time; zero for not beyond the recovery at hand.</summary>
    public TimeSpan QuarantinePeriod { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Whether a node in quarantine also gets a taint, so that other gangs' and everybody's new Pods avoid it. Default false.</summary>
    public bool QuarantineTaints { get; init; }

    /// <summary>What on a Node means that it is broken or about to go, besides what is known of itself.</summary>
    public ImmutableArray<NodeSign> NodeSigns { get; init; } = [];

    /// <summary>The number of workers of all roles together.</summary>
    public int WorldSize => Roles.Sum(r => r.Count);

    /// <summary>Whether something else creates the gang's Pods: <see cref="RoleBuilder.WithAdoptedPods"/>.</summary>
    public bool IsAdopted => Roles.Any(r => r.Adopted is not null);

    /// <summary>Whether agents are sidecars in this role; false for a role that the gang does not have, as an old Pod may name one.</summary>
    internal bool IsSidecar(string role)
    {
        foreach (var known in Roles)
        {
            if (known.Name == role) return known.Sidecar;
        }

        return false;
    }

    internal RoleSpec Role(string name) => Roles.First(r => r.Name == name);
}
