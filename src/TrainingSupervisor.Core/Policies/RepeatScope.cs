namespace TrainingSupervisor;

/// <summary>Which earlier recoveries a rung of a ladder counts, of those that the same rule has answered.</summary>
public enum RepeatScope
{
    /// <summary>All of them.</summary>
    Gang,

    /// <summary>Those in which the same worker failed first. A failure that names no worker repeats nothing.</summary>
    Worker,

    /// <summary>Those in which a worker on the same node failed first. A failure that names no node repeats nothing.</summary>
    Node,
}
