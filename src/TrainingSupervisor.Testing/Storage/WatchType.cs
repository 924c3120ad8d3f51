namespace TrainingSupervisor.Testing.Storage;

/// <summary>What happened to an object.</summary>
internal enum WatchType
{
    Added,
    Modified,
    Deleted,
}
