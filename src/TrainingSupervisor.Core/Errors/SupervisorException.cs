namespace TrainingSupervisor;

/// <summary>The root of every exception that this library throws on purpose.</summary>
public class SupervisorException : Exception
{
    /// <summary>Makes an exception with a message for the person who reads it.</summary>
    /// <param name="message">What went wrong, where, and what would be right.</param>
    /// <param name="inner">What caused it, if anything did.</param>
    public SupervisorException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
