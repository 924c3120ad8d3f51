using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>Describes a gang. Nothing is checked until <see cref="Build"/>, which names every mistake at once.</summary>
public sealed class GangBuilder
{
    private readonly List<RoleBuilder> _roles = [];
    private GangSpec _spec;

    internal GangBuilder(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        _spec = new GangSpec { Name = name, Namespace = "default", Roles = [], Policy = new RecoveryPolicy() };
    }

    /// <summary>Adds a role. Ranks follow the order in which roles are added.</summary>
    /// <param name="name">A DNS label, unique in the gang.</param>
    /// <param name="configure">Describes the role.</param>
    public GangBuilder AddRole(string name, Action<RoleBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(configure);
        var role = new RoleBuilder(name);
        configure(role);
        _roles.Add(role);
        return this;
    }

    /// <summary>Sets the Kubernetes namespace. Default <c>default</c>.</summary>
    /// <param name="name">An existing namespace.</param>
    public GangBuilder WithNamespace(string name) => With(_spec with { Namespace = name });

    /// <summary>Says what to do about failures. Without it the defaults of each kind apply.</summary>
    /// <param name="configure">Adds rules, in the order in which they are tried.</param>
    public GangBuilder WithPolicy(Action<PolicyBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var policy = new PolicyBuilder(_spec.Policy);
        configure(policy);
        return With(_spec with { Policy = policy.Policy });
    }

    /// <summary>Uses this policy, one that was read from a file for example. A later call that adds rules adds them to it.</summary>
    /// <param name="policy">The policy.</param>
    public GangBuilder WithPolicy(RecoveryPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return With(_spec with { Policy = policy });
    }

    /// <summary>Sets the port of rank 0 (<c>MASTER_PORT</c>). Default 29500.</summary>
    /// <param name="port">1 to 65535.</param>
    public GangBuilder WithMasterPort(int port) => With(_spec with { MasterPort = port });

    /// <summary>Sets how long the first start may take until every worker is at the barrier. Default 30 minutes.</summary>
    /// <param name="deadline">More than zero.</param>
    public GangBuilder WithStartDeadline(TimeSpan deadline) => With(_spec with { StartDeadline = deadline });

    /// <summary>Sets how long each step of a recovery's fallback order may take. Default 10 minutes.</summary>
    /// <param name="deadline">More than zero.</param>
    public GangBuilder WithBarrierDeadline(TimeSpan deadline) => With(_spec with { BarrierDeadline = deadline });

    /// <summary>Sets how long to wait for the same event seen elsewhere before deciding. Default 50 ms.</summary>
    /// <param name="window">Zero to 10 seconds.</param>
    public GangBuilder WithGatherWindow(TimeSpan window) => With(_spec with { GatherWindow = window });

    /// <summary>
    /// Sets a fixed time without a step after which the gang hangs, instead of the learned one. It knows no warm-up and no phases, and holds for
    /// a gang that reports no step at all.
    /// </summary>
    /// <param name="timeout">Longer than the longest step, checkpoint or evaluation. It also bounds the time to the first step.</param>
    public GangBuilder WithHangTimeout(TimeSpan timeout) => With(_spec with { HangTimeout = timeout });

    /// <summary>
    /// Refines hang detection, which is on from the first step that a worker reports: once 20 steps are known, a gang hangs when nobody has done
    /// a step for <paramref name="factor"/> times the 99th percentile of its step times (twice that until 300 are known, since one long step in
    /// a hundred may not have come yet), and at least <paramref name="atLeast"/>. A phase that a worker announces (a checkpoint, an evaluation) stops that clock and has one of its own. A long pause that is not announced
    /// as a phase is taken for a hang. Takes back <see cref="WithHangTimeout"/>.
    /// </summary>
    /// <param name="factor">More than 1. Default 3.</param>
    /// <param name="atLeast">No silence shorter than this is a hang. Default 15 seconds.</param>
    /// <param name="unlearned">
    /// The limit for what nothing is known of: the first steps of the first attempts, the first 20 steps, a phase seen for the first time.
    /// Later, the first steps of an attempt may take three times what they took before, and at least five minutes. Default 30 minutes.
    /// </param>
    /// <param name="warmUpSteps">How many steps at the beginning of an attempt count as its start, and teach nothing of the others. Default 3.</param>
    public GangBuilder WithHangDetection(double factor = 3, TimeSpan? atLeast = null, TimeSpan? unlearned = null, int warmUpSteps = 3)
    {
        var defaults = new HangDetection();
        return With(_spec with
        {
            HangTimeout = null,
            HangDetection = new HangDetection
            {
                Factor = factor, AtLeast = atLeast ?? defaults.AtLeast, Unlearned = unlearned ?? defaults.Unlearned, WarmUpSteps = warmUpSteps,
            },
        });
    }

    /// <summary>Switches hang detection off.</summary>
    public GangBuilder WithoutHangDetection() => With(_spec with { HangTimeout = null, HangDetection = null });

    /// <summary>
    /// Has agents run a command before a hang is reported, a stack dump for example: those of the workers that are furthest behind, or a sample
    /// if nobody is, eight at most. It begins some time before the hang is due, so that quick answers cost no time. The last 4 KiB of each
    /// output are in <see cref="Failure.Diagnostics"/>. If any worker does a step meanwhile, nothing is reported.
    /// </summary>
    /// <param name="command">The program and its arguments, run beside the worker in its container.</param>
    /// <param name="timeout">How long it may take; a hang is reported then at the latest. Default 10 seconds.</param>
    public GangBuilder WithHangDiagnostics(IEnumerable<string> command, TimeSpan? timeout = null)
    {
        ArgumentNullException.ThrowIfNull(command);
        return With(_spec with { HangDiagnostics = [.. command], HangDiagnosticsTimeout = timeout ?? TimeSpan.FromSeconds(10) });
    }

    /// <summary>
    /// Refines the search for stragglers, which is on by default for workers that say how long their own work on a step took: one is reported
    /// when most of its latest steps were slower than its role's median. Without a rule in the policy nothing else is done.
    /// </summary>
    /// <param name="factor">How many times slower than the median a worker is that must be found. Default 1.5: steps count as slow from 1.25 on.</param>
    /// <param name="steps">How many of the latest steps are looked at, 4 to 64. Default 32.</param>
    public GangBuilder WithStragglerDetection(double factor = 1.5, int steps = 32) =>
        With(_spec with { StragglerDetection = new StragglerDetection { Factor = factor, Steps = steps } });

    /// <summary>
    /// Names a label of nodes that fail together, such as <c>topology.kubernetes.io/rack</c>. Failures of workers that share its value become one
    /// recovery, and the plan names it. The node itself always counts as such. May be called more than once.
    /// </summary>
    /// <param name="nodeLabel">The key of a label.</param>
    public GangBuilder WithFailureDomain(string nodeLabel) => With(_spec with { FailureDomains = _spec.FailureDomains.Add(nodeLabel) });

    /// <summary>
    /// Says that a worker which exits with one of these codes has only noticed that a peer failed. Its failure is the first cause only
    /// if there is no better one.
    /// </summary>
    /// <param name="exitCodes">1 to 255.</param>
    public GangBuilder WithConsequenceExitCodes(params IEnumerable<int> exitCodes) => With(_spec with { ConsequenceExitCodes = [.. exitCodes] });

    /// <summary>Switches the search for stragglers off.</summary>
    public GangBuilder WithoutStragglerDetection() => With(_spec with { StragglerDetection = null });

    /// <summary>
    /// Sets the fence: how long an agent that reaches neither its supervisor nor the API server waits before it ends its worker, and how
    /// long a replacement waits for that. Default 30 seconds.
    /// </summary>
    /// <param name="period">At least two heartbeats.</param>
    public GangBuilder WithFence(TimeSpan period) => With(_spec with { Fence = period });

    /// <summary>
    /// Replaces a lost worker at once, without waiting for its fence. Only for gangs whose storage cannot be harmed by two workers of one rank.
    /// </summary>
    public GangBuilder WithoutFencing() => With(_spec with { Fence = TimeSpan.Zero });

    /// <summary>Sets how often agents say that they are alive. Default 2 seconds; three missed ones make an agent lost.</summary>
    /// <param name="interval">100 ms to one minute.</param>
    public GangBuilder WithHeartbeat(TimeSpan interval) => With(_spec with { HeartbeatInterval = interval });

    /// <summary>Gives workers time to end on SIGTERM when the gang restarts them. Default zero: SIGKILL at once, since the step is lost anyway.</summary>
    /// <param name="grace">Zero or more.</param>
    public GangBuilder WithWorkerGrace(TimeSpan grace) => With(_spec with { WorkerGrace = grace });

    /// <summary>Asks surviving workers to save before a restart, and waits for their answer up to a deadline. Off by default.</summary>
    /// <param name="deadline">More than zero.</param>
    /// <param name="signal">The signal to send, by number. Default 10, SIGUSR1.</param>
    public GangBuilder WithQuiesce(TimeSpan deadline, int signal = 10) => With(_spec with { QuiesceDeadline = deadline, QuiesceSignal = signal });

    /// <summary>Sets how long a Pod may take to come back from a restart in place before its worker gets another Pod. Default two minutes.</summary>
    /// <param name="deadline">More than zero; longer than the Pod's init containers take.</param>
    public GangBuilder WithRestartDeadline(TimeSpan deadline) => With(_spec with { RestartDeadline = deadline });

    /// <summary>Sets how long new Pods avoid a node that has failed. Default one hour; each further failure within a day doubles it.</summary>
    /// <param name="period">Zero or more; zero avoids the node in the recovery at hand only.</param>
    /// <param name="taintNodes">
    /// Whether the Node is told, too: it gets the taint <c>GANG.NAMESPACE.quarantine.training-supervisor.dev/node-failed:NoSchedule</c>, which keeps everybody's new
    /// Pods away, until it is forgiven or the gang is over. Needs the rights in deploy/role-quarantine.yaml. Default false: Nodes are not touched.
    /// </param>
    public GangBuilder WithQuarantine(TimeSpan period, bool taintNodes = false) => With(_spec with { QuarantinePeriod = period, QuarantineTaints = taintNodes });

    /// <summary>Adds a condition of Nodes that means trouble, besides the built-in ones.</summary>
    /// <param name="type">The condition's type.</param>
    /// <param name="kind"><see cref="FailureKind.NodeUnhealthy"/>: workers leave at once. <see cref="FailureKind.NodeDraining"/>: they are moved, and may save first.</param>
    /// <param name="badStatus">The status that means trouble. Default true.</param>
    public GangBuilder WithNodeCondition(string type, FailureKind kind = FailureKind.NodeUnhealthy, bool badStatus = true) =>
        With(_spec with { NodeSigns = _spec.NodeSigns.Add(new NodeSign(kind, type, IsTaint: false, badStatus)) });

    /// <summary>Adds a taint of Nodes that means trouble, whatever its effect, besides the built-in ones.</summary>
    /// <param name="key">The taint's key.</param>
    /// <param name="kind">As for <see cref="WithNodeCondition"/>.</param>
    public GangBuilder WithNodeTaint(string key, FailureKind kind = FailureKind.NodeDraining) =>
        With(_spec with { NodeSigns = _spec.NodeSigns.Add(new NodeSign(kind, key, IsTaint: true)) });

    /// <summary>Validates the description and freezes it.</summary>
    /// <exception cref="InvalidGangException">There are mistakes; it names all of them, each with its path and what would be right.</exception>
    public GangSpec Build()
    {
        var spec = _spec with { Roles = [.. _roles.Select(r => r.Role)] };
        var problems = GangValidator.Validate(spec);
        return problems.IsEmpty ? spec : throw new InvalidGangException(spec.Name, problems);
    }

    private GangBuilder With(GangSpec spec)
    {
        _spec = spec;
        return this;
    }
}
