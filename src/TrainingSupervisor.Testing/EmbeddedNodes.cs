using System.Collections;
using TrainingSupervisor.Testing.Nodes;

namespace TrainingSupervisor.Testing;

/// <summary>The nodes of an embedded cluster.</summary>
public sealed class EmbeddedNodes : IEnumerable<EmbeddedNode>
{
    private readonly NodePlane _plane;

    internal EmbeddedNodes(NodePlane plane) => _plane = plane;

    /// <summary>A node by its name.</summary>
    /// <param name="name">The node's name.</param>
    /// <exception cref="KeyNotFoundException">There is no such node.</exception>
    public EmbeddedNode this[string name] => new(_plane, _plane.Node(name));

    /// <inheritdoc/>
    public IEnumerator<EmbeddedNode> GetEnumerator() => _plane.Kubelets.Select(k => new EmbeddedNode(_plane, k)).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
