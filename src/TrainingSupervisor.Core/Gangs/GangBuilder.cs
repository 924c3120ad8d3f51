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

    /// <summary>Switches hang detection on: a gang in which nobody reports a step for so long hangs. Off by default.</summary>
    /// <param name="timeout">Longer than the longest step, checkpoint or evaluation. It also bounds the time to the first step.</param>
    public GangBuilder WithHangTimeout(TimeSpan timeout) => With(_spec with { HangTimeout = timeout });

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
    public GangBuilder WithQuarantine(TimeSpan period) => With(_spec with { QuarantinePeriod = period });

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
