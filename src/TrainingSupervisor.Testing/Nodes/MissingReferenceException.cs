namespace TrainingSupervisor.Testing.Nodes;

/// <summary>A Pod refers to an object or a key that is not there; the container waits for it.</summary>
internal sealed class MissingReferenceException(string message) : Exception(message);
