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
    /// <see cref="FailureKind.HealthCheckFailed"/>. May be said several times.
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
