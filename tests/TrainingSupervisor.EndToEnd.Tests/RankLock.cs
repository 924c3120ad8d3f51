namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>How a worker's script shows that it starts, and that no other of its rank lives.</summary>
internal static class RankLock
{
    /// <summary>
    /// The lock is held by whatever lives of this worker: a second one of its rank finds it taken, and says so in <c>twice</c>. Each start is a
    /// line of attempt and rank in <c>starts</c>. The script goes on in the directory.
    /// </summary>
    public static string Script(string directory, string then) => $"""
        cd {directory} && exec 9>rank-$RANK.lock && (flock -n 9 || echo "$GANG_ATTEMPT $RANK" >> twice)
        echo "$GANG_ATTEMPT $RANK" >> starts
        exec {then}
        """;
}
