namespace LocalTraining.Trainer;

/// <summary>Another rank is gone: this one can do nothing more.</summary>
internal sealed class PeerLostException(int rank, string why, Exception? inner = null) : Exception($"lost peer rank {rank}: {why}", inner)
{
    public int Rank { get; } = rank;
}
