using TrainingSupervisor.Testing.Nodes;
using TrainingSupervisor.Testing.Runtime;

namespace TrainingSupervisor.Testing;

/// <content>The nodes, and what they run.</content>
public sealed partial class EmbeddedCluster
{
    private NodePlane? _plane;
    private EmbeddedNodes? _nodes;

    /// <summary>
    /// The cluster's nodes. Containers on them are plain processes of this machine: a Pod has an address of its own
    /// (127.x.y.z on Linux), but no file system of its own. Wherever a container's command, args, working directory or
    /// environment names one of its mount paths, the directory of that volume on this machine is put in its place.
    /// </summary>
    public EmbeddedNodes Nodes => _nodes!;

    internal NodePlane Plane => _plane!;

    /// <summary>Adds a node and waits for nothing: it is Ready when this returns.</summary>
    /// <param name="name">The node's name.</param>
    /// <param name="options">What it has to offer.</param>
    /// <param name="cancellationToken">Stops the call before it has begun.</param>
    /// <exception cref="ArgumentException">There is a node of that name.</exception>
    public Task<EmbeddedNode> AddNodeAsync(string name, NodeOptions? options = null, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Plane.AddNode(name, options);
        return Task.FromResult(Nodes[name]);
    }

    /// <summary>
    /// A TCP relay to put between Pods and a server outside of the cluster, so that partitions and failures of nodes cut that
    /// link too. The caller disposes it.
    /// </summary>
    /// <param name="target">Where connections go. Default: set later, with <see cref="NetworkRelay.Target"/>.</param>
    public NetworkRelay CreateRelay(System.Net.IPEndPoint? target = null) => new(Plane, target);

    /// <summary>
    /// Makes a directory of this machine an image: image volumes mount it, and a container that names it finds its command
    /// there first, then on the machine. Any other name is an image that has what the machine has, unless it was made
    /// unavailable or its host ends in <c>.invalid</c>.
    /// </summary>
    /// <param name="reference">The image, as Pods name it.</param>
    /// <param name="directory">Its content.</param>
    public void AddImage(string reference, string directory) => Plane.Context.Images.Add(reference, directory);

    /// <summary>From now on pulls of the image fail with ErrImagePull.</summary>
    /// <param name="reference">The image, as Pods name it.</param>
    public void MakeImageUnavailable(string reference) => Plane.Context.Images.MakeUnavailable(reference);

    /// <summary>Takes <see cref="MakeImageUnavailable"/> back; a container that waits finds out at its next try.</summary>
    /// <param name="reference">The image, as Pods name it.</param>
    public void MakeImageAvailable(string reference) => Plane.Context.Images.MakeAvailable(reference);

    /// <summary>What a container has written to its standard output and error, over all its runs.</summary>
    /// <param name="podName">The Pod.</param>
    /// <param name="container">The container; default: the first.</param>
    /// <param name="ns">The Pod's namespace.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="KeyNotFoundException">There is no such Pod on any node.</exception>
    public async Task<string> ReadLogAsync(
        string podName, string? container = null, string ns = "default", CancellationToken cancellationToken = default)
    {
        var worker = Plane.Worker(ns, podName);
        var file = worker.LogFile(container ?? worker.FirstContainer);
        return File.Exists(file) ? await File.ReadAllTextAsync(file, cancellationToken).ConfigureAwait(false) : "";
    }

    /// <summary>Kills processes that a cluster left behind. Linux only; a cluster whose process was killed does this by itself.</summary>
    /// <param name="dataDirectory">The cluster's <see cref="DataDirectory"/>.</param>
    public static Task KillLeftoversAsync(string dataDirectory) =>
        ProcessTree.KillAsync(ProcessTree.ClusterVariable, Path.GetFullPath(dataDirectory));

    partial void AddComponents(List<IClusterComponent> components)
    {
        _plane = new(Store, Options.TimeProvider, Options.Kubelet, DataDirectory, Options.NodeLeaseDuration, () => Address);
        _nodes = new(_plane);
        _handler.PodLog = async (ns, pod, container, _, ct) =>
            System.Text.Encoding.UTF8.GetBytes(await ReadLogAsync(pod, container, ns, ct).ConfigureAwait(false));
        _handler.Exec.Start = _plane.Exec;
        components.Add(new NodesComponent(this));
    }

    private sealed class NodesComponent(EmbeddedCluster cluster) : IClusterComponent
    {
        public Task StartAsync(CancellationToken ct)
        {
            cluster.Plane.Start();
            var names = cluster.Options.NodeNames.Count > 0
                ? cluster.Options.NodeNames
                : [.. Enumerable.Range(1, cluster.Options.NodeCount).Select(i => $"node-{i}")];
            foreach (var name in names)
            {
                cluster.Plane.AddNode(name);
            }

            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync() => cluster.Plane.DisposeAsync();
    }
}
