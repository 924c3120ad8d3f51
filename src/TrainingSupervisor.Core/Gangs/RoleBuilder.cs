using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>Describes a role of a gang.</summary>
public sealed class RoleBuilder
{
    internal RoleBuilder(string name) =>
        Role = new RoleSpec { Name = name, Count = 1, Image = "", Command = [], Agent = "" };

    internal RoleSpec Role { get; private set; }

    /// <summary>Sets how many workers train in this role. Default 1.</summary>
    /// <param name="count">1 to 10,000.</param>
    public RoleBuilder WithCount(int count) => With(Role with { Count = count });

    /// <summary>Keeps extra Pods at the barrier that take over the rank of a worker whose Pod is lost. Default 0.</summary>
    /// <param name="count">Zero or more.</param>
    public RoleBuilder WithSpares(int count) => With(Role with { Spares = count });

    /// <summary>
    /// Keeps extra Pods at the barrier on nodes with a label. They take over only workers whose own node has the same label and value. May be
    /// said several times, and beside <see cref="WithSpares(int)"/>.
    /// </summary>
    /// <param name="count">One or more.</param>
    /// <param name="nodeLabel">The label's name, <c>topology.kubernetes.io/zone</c> for example.</param>
    /// <param name="value">The label's value.</param>
    public RoleBuilder WithSpares(int count, string nodeLabel, string value) =>
        With(Role with { SparePools = Role.SparePools.Add(new SparePool(count, nodeLabel, value)) });

    /// <summary>Divides the role into cells, data-parallel replicas for example: a policy may restart a cell alone (<see cref="RecoveryStrategy.RestartCell"/>), and a cell that stands still while others go on hangs by itself. Default none.</summary>
    /// <param name="size">Workers per cell; the role's count is a multiple of it. 1 makes each worker its own cell.</param>
    public RoleBuilder WithCells(int size) => With(Role with { CellSize = size });

    /// <summary>
    /// Lets the role go on with fewer workers when no replacement comes, and grow back at the next recovery or on request. Default: it may not shrink.
    /// </summary>
    /// <param name="minWorkers">At least so many; 1 or more, and fewer than the role's count.</param>
    /// <param name="multipleOf">The number of workers is a multiple of this. Default 1.</param>
    /// <param name="deadline">How long a missing worker is waited for at the barrier first. Default two minutes.</param>
    public RoleBuilder WithMinWorkers(int minWorkers, int multipleOf = 1, TimeSpan? deadline = null) =>
        With(Role with { MinWorkers = minWorkers, WorkerMultiple = multipleOf, ShrinkDeadline = deadline ?? Role.ShrinkDeadline });

    /// <summary>Sets the worker's container image.</summary>
    /// <param name="image">An image reference.</param>
    public RoleBuilder WithImage(string image) => With(Role with { Image = image });

    /// <summary>Sets the worker's command. The agent starts it when the barrier opens.</summary>
    /// <param name="command">
    /// The program and its arguments. Kubernetes expands <c>$(NAME)</c> in them, and reads <c>$$</c> as <c>$</c>, as in any container's command.
    /// </param>
    public RoleBuilder WithCommand(params IEnumerable<string> command) => With(Role with { Command = [.. command] });

    /// <summary>
    /// Runs the agent as a sidecar (a restartable init container), for images whose command is not known: the kubelet starts the worker's
    /// container, with the image's or the Pod template's own command, once the barrier opens. What other workers get as
    /// environment variables these get as files. They restart in place or in a new Pod, never as a process alone.
    /// </summary>
    public RoleBuilder AsSidecar() => With(Role with { Sidecar = true });

    /// <summary>Sets an environment variable of the worker.</summary>
    /// <param name="name">The name; those of the worker contract are reserved.</param>
    /// <param name="value">The value.</param>
    public RoleBuilder WithEnvironment(string name, string value) => With(Role with { Environment = Role.Environment.SetItem(name, value) });

    /// <summary>Lets no two Pods of the gang share a node.</summary>
    public RoleBuilder WithOnePerNode() => With(Role with { OnePerNode = true });

    /// <summary>Sets the Pod template, as YAML or JSON of a Pod template or a Pod. The worker's container is its first one.</summary>
    /// <param name="yaml">The text.</param>
    public RoleBuilder WithPodTemplate(string yaml) => With(Role with { PodTemplate = yaml });

    /// <summary>Mounts the agent from its image as a read-only image volume (Kubernetes 1.36; no init container).</summary>
    /// <param name="image">The agent's image.</param>
    public RoleBuilder WithAgentFromImageVolume(string image) => With(Role with { AgentDelivery = AgentDelivery.ImageVolume, Agent = image });

    /// <summary>Copies the agent from its image with an init container, for clusters without image volumes.</summary>
    /// <param name="image">The agent's image.</param>
    public RoleBuilder WithAgentFromInitContainer(string image) => With(Role with { AgentDelivery = AgentDelivery.InitContainer, Agent = image });

    /// <summary>Uses an agent that is in the worker's image already.</summary>
    /// <param name="path">Its absolute path in the image.</param>
    public RoleBuilder WithAgentInImage(string path) => With(Role with { AgentDelivery = AgentDelivery.InImage, Agent = path });

    /// <summary>
    /// Takes the role's workers from Pods that something else creates and recreates: a Job, a JobSet, any controller. The supervisor creates none:
    /// it restarts them in place, and replaces one by deleting it and waiting for its controller. Image, command and agent may be left out:
    /// they are in the controller's Pod template, which must carry the agent (<c>ToPodTemplate</c> makes it).
    /// </summary>
    /// <param name="labelSelector">Selects the Pods of this role, and no other: <c>batch.kubernetes.io/job-name=llm</c>.</param>
    /// <param name="indexLabel">
    /// The label whose value is the worker's index in the role. Default: the completion index of an Indexed Job. Pods without it are numbered
    /// in the order of their creation, and keep their number while they live.
    /// </param>
    public RoleBuilder WithAdoptedPods(string labelSelector, string indexLabel = AdoptedPods.JobCompletionIndex)
    {
        ArgumentNullException.ThrowIfNull(labelSelector);
        ArgumentNullException.ThrowIfNull(indexLabel);
        return With(Role with { Adopted = new AdoptedPods(labelSelector, indexLabel) });
    }

    /// <summary>
    /// Has the agent run a command beside each worker as long as it runs. If it fails often enough in a row, that is a failure of the kind
    /// <see cref="FailureKind.HealthCheckFailed"/>.
    /// </summary>
    /// <param name="command">The program and its arguments; it ends with 0 if the worker is well.</param>
    /// <param name="interval">From the worker's start to the first run, and from a run's end to the next. Default 30 s.</param>
    /// <param name="timeout">A run that takes longer is killed and counts as failed. Default 10 s.</param>
    /// <param name="failures">So many failures in a row are a failure of the worker. Default 3.</param>
    public RoleBuilder WithHealthCheck(IEnumerable<string> command, TimeSpan? interval = null, TimeSpan? timeout = null, int failures = 3)
    {
        var check = new HealthCheck([.. command]) { Failures = failures };
        return With(Role with { HealthCheck = check with { Interval = interval ?? check.Interval, Timeout = timeout ?? check.Timeout } });
    }

    /// <summary>
    /// Calls a worker broken as soon as a line of its stderr matches, although it still runs: a failure of the kind
    /// <see cref="FailureKind.HealthCheckFailed"/>. May be said several times; each pattern speaks once in an attempt, and at most eight do.
    /// </summary>
    /// <param name="regex">A regular expression of .NET without anything that backtracks. It is tried on the first 4 KiB of each line.</param>
    public RoleBuilder WithFailurePattern(string regex) => With(Role with { FailurePatterns = Role.FailurePatterns.Add(regex) });

    internal RoleBuilder WithExtension<T>(T extension)
        where T : notnull => With(Role with { Extensions = Role.Extensions.SetItem(typeof(T), extension) });

    private RoleBuilder With(RoleSpec role)
    {
        Role = role;
        return this;
    }
}
